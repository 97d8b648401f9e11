use super::*;
use crate::Watch;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// A resource of a test: a text, a bell, and how often it was looked at.
#[derive(Default)]
struct Thing {
    text: Mutex<String>,
    bell: Notify,
    looks: AtomicUsize,
}

impl Thing {
    fn look(self: &Arc<Self>) -> Look {
        let thing = Arc::clone(self);
        Arc::new(move || {
            let thing = Arc::clone(&thing);
            Box::pin(async move {
                thing.looks.fetch_add(1, Ordering::SeqCst);
                let ringing = Arc::clone(&thing);
                let watch = Watch::new().signal(async move { ringing.bell.notified().await });
                let text = thing.text.lock().unwrap().clone();
                match text.as_str() {
                    "gone" => Err(ToolError::not_found("gone")),
                    "broken" => panic!("broken"),
                    text => Ok(watch.saw(text)),
                }
            })
        })
    }

    fn say(&self, text: &str) {
        text.clone_into(&mut self.text.lock().unwrap());
        self.bell.notify_one();
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_few_changes_and_its_end_is_never_lost() {
    let (lookouts, thing) = (Arc::<Lookouts>::default(), Arc::<Thing>::default());
    let mut watching = lookouts.join("a".into(), thing.look()).await.unwrap();
    let mut told = 0;
    for round in 0..200 {
        thing.say(&round.to_string());
        sleep(Duration::from_millis(1)).await;
        if watching.changed().now_or_never().is_some() {
            told += 1;
        }
    }
    assert!((1..=8).contains(&told), "{told}");
    watching.changed().await;
    sleep(Duration::from_secs(5)).await;
    assert!(watching.changed().now_or_never().is_none());
    thing.say("one more");
    watching.changed().await;
}

#[tokio::test(start_paused = true)]
async fn a_stir_without_another_content_is_no_change() {
    let (lookouts, thing) = (Arc::<Lookouts>::default(), Arc::<Thing>::default());
    let mut watching = lookouts.join("a".into(), thing.look()).await.unwrap();
    thing.say("");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(thing.looks.load(Ordering::SeqCst), 2);
    assert!(watching.changed().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn one_lookout_serves_all_and_ends_with_the_last() {
    let (lookouts, thing) = (Arc::<Lookouts>::default(), Arc::<Thing>::default());
    let mut one = lookouts.join("a".into(), thing.look()).await.unwrap();
    let mut other = lookouts.join("a".into(), thing.look()).await.unwrap();
    assert_eq!((lookouts.len(), thing.looks.load(Ordering::SeqCst)), (1, 1));
    thing.say("x");
    one.changed().await;
    other.changed().await;
    drop(one);
    assert_eq!(lookouts.len(), 1);
    drop(other);
    assert_eq!(lookouts.len(), 0);
    let looked = thing.looks.load(Ordering::SeqCst);
    thing.say("y");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(thing.looks.load(Ordering::SeqCst), looked);
    assert!(lookouts.join("a".into(), thing.look()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_at_is_refused_and_leaves_nothing() {
    let (lookouts, thing) = (Arc::<Lookouts>::default(), Arc::<Thing>::default());
    for (text, kind) in [
        ("gone", ErrorKind::NotFound),
        ("broken", ErrorKind::Internal),
    ] {
        thing.say(text);
        let refused = lookouts.join("a".into(), thing.look()).await.err().unwrap();
        assert_eq!(refused.kind, kind);
        assert_eq!(lookouts.len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_is_tried_again_until_it_sees() {
    let (lookouts, thing) = (Arc::<Lookouts>::default(), Arc::<Thing>::default());
    let mut watching = lookouts.join("a".into(), thing.look()).await.unwrap();
    for text in ["gone", "broken"] {
        thing.say(text);
        sleep(Duration::from_secs(3)).await;
        assert!(watching.changed().now_or_never().is_none());
    }
    // Nobody rings: the lookout has to come by itself.
    "back".clone_into(&mut thing.text.lock().unwrap());
    watching.changed().await;
}

#[tokio::test]
async fn a_file_is_noticed_however_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let shown = path.clone();
    let look: Look = Arc::new(move || {
        let path = shown.clone();
        Box::pin(async move {
            let watch = Watch::new().file(&path);
            Ok(watch.saw(std::fs::read(&path).unwrap_or_default()))
        })
    });
    let lookouts = Arc::<Lookouts>::default();
    let mut watching = lookouts.join("f".into(), look).await.unwrap();
    let put = |name: &str, text: &str| {
        let file = dir.path().join(name);
        std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), text.as_bytes())
            .unwrap();
        file
    };
    let patience = Duration::from_secs(20);
    put("file", "made");
    timeout(patience, watching.changed()).await.unwrap();
    // As long as before, and likely within the same tick of the file system's clock.
    put("file", "same");
    timeout(patience, watching.changed()).await.unwrap();
    std::fs::rename(put("new", "moved"), &path).unwrap();
    timeout(patience, watching.changed()).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    timeout(patience, watching.changed()).await.unwrap();
}
