//! Over the older HTTP+SSE: messages are posted, and answered on a stream.

use super::site::{Site, answer};
use super::web::{Line, initialize};
use super::{Faults, clip};
use callboard_tests::corpus::{Case, Expect, cases};
use serde_json::{Value, json};

pub struct Stream<'s> {
    site: &'s Site,
    token: Option<String>,
    events: Line,
    path: String,
    pings: u64,
}

impl Stream<'_> {
    pub fn open<'s>(site: &'s Site, token: Option<&str>) -> Stream<'s> {
        let mut request = site.post("/assigner/sse", b"");
        request.method = "GET".to_owned();
        request.set("accept", Some("text/event-stream".to_owned()));
        request.set(
            "authorization",
            token.map(|token| format!("Bearer {token}")),
        );
        let mut events = Line::to(site.address);
        events.write(&request.bytes());
        let mut stream = Stream {
            site,
            token: token.map(str::to_owned),
            events,
            path: String::new(),
            pings: 0,
        };
        stream.path = stream.data().unwrap();
        assert!(
            stream.path.starts_with("/assigner/message?sessionId="),
            "{}",
            stream.path
        );
        assert_eq!(
            stream.post(initialize().to_string().as_bytes()).unwrap(),
            None
        );
        let hello = stream.next().unwrap();
        assert!(hello["result"].is_object(), "{hello}");
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(stream.post(ready.to_string().as_bytes()).unwrap(), None);
        stream
    }

    /// The data of the next event.
    fn data(&mut self) -> Result<String, String> {
        loop {
            let line = self.events.text_line()?.ok_or("the stream has ended")?;
            if let Some(data) = line.strip_prefix("data:") {
                return Ok(data.trim().to_owned());
            }
        }
    }

    /// The next answer.
    pub fn next(&mut self) -> Result<Value, String> {
        loop {
            let data = self.data()?;
            let message: Value =
                serde_json::from_str(&data).map_err(|error| format!("{error}: {data}"))?;
            if message.get("method").is_none() {
                return Ok(message);
            }
        }
    }

    /// Posts a message; what was said against it, with its status.
    pub fn post(&self, body: &[u8]) -> Result<Option<(u16, Option<Value>)>, String> {
        let mut request = self.site.post(&self.path, body);
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        request.set("authorization", bearer);
        let reply = request.send(self.site.address)?;
        let Some(reply) = reply else {
            return Ok(Some((0, None)));
        };
        Ok((reply.status != 202).then(|| (reply.status, answer(&reply, None))))
    }

    /// Answers that come until a ping of ours is answered, that one excepted.
    fn until_ping(&mut self) -> Result<Vec<Value>, String> {
        self.pings += 1;
        let id = json!(format!("there? {}", self.pings));
        let ping = json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
        if let Some(refused) = self.post(ping.to_string().as_bytes())? {
            return Err(format!("the ping was refused: {refused:?}"));
        }
        let mut answers = Vec::new();
        loop {
            let message = self.next()?;
            if message["id"] == id {
                return Ok(answers);
            }
            answers.push(message);
        }
    }

    fn play(&mut self, case: &Case, expect: &Expect, faults: &mut Faults) -> Result<(), String> {
        let name = &case.name;
        let refused = self.post(&case.bytes)?;
        let mut answers = Vec::new();
        match (&refused, expect) {
            (Some((status, said)), Expect::Status(wanted)) => {
                // What is too long need not be read to its end, and the answer may be lost with the rest.
                faults.expect(status == wanted || *status == 0, || {
                    format!("{name}: {status} {said:?}")
                });
            }
            (Some((status, said)), _) => {
                faults.expect((400..500).contains(status), || format!("{name}: {status}"));
                answers.extend(said.clone());
            }
            (None, Expect::Nothing | Expect::NothingOrError) => {}
            (None, _) => loop {
                let message = self.next()?;
                let ours = case.id.as_ref().is_none_or(|id| message["id"] == *id);
                answers.push(message);
                if ours {
                    break;
                }
            },
        }
        answers.extend(self.until_ping()?);
        faults.expect(answers.len() <= 1, || {
            format!("{name}: {}", clip(&json!(answers).to_string()))
        });
        if !matches!(expect, Expect::Status(_)) {
            faults.judge(name, expect, answers.first());
        }
        Ok(())
    }
}

#[test]
fn every_message_in_a_session() {
    let over = |case: Case| case.over("sse").map(|expect| (case, expect));
    let cases: Vec<_> = cases("messages.json")
        .into_iter()
        .filter_map(over)
        .collect();
    assert!(cases.len() >= 200, "{}", cases.len());
    let (site, mut faults) = (Site::open(), Faults::default());
    let mut stream = Stream::open(&site, None);
    let mut play_all = |faults: &mut Faults| {
        for (case, expect) in &cases {
            let played = stream.play(case, expect, faults);
            assert!(played.is_ok(), "{}: {played:?}", case.name);
        }
    };
    play_all(&mut faults);
    faults.again(site.pid(), || play_all(&mut Faults::default()));
    drop(stream);
    let (code, said) = site.end();
    faults.expect(code == Some(0), || {
        format!("it ended with {code:?}: {}", clip(&said))
    });
    faults.expect(!said.contains("panic"), || format!("it said {said}"));
    faults.none();
}
