#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]
use callboard_roadmap::*;
fn main() {
    for path in std::env::args().skip(1) {
        let text = std::fs::read(&path).unwrap();
        let old = parse(&text).unwrap();
        for item in &old.items {
            for to in Status::ALL {
                match set_status(&text, &item.key, to) {
                    Ok(e) => println!(
                        "{} {:?}: {} {:?} -> {:?} changes {:?}",
                        item.key,
                        to,
                        e.changed,
                        e.before,
                        e.after,
                        e.changes
                            .iter()
                            .map(|c| (
                                String::from_utf8_lossy(&text[c.span.clone()]).into_owned(),
                                c.after.clone()
                            ))
                            .collect::<Vec<_>>()
                    ),
                    Err(e) => println!("ERR {} {:?}: {e}", item.key, to),
                }
            }
            for (i, d) in item.deliverables.iter().enumerate() {
                for done in [true, false] {
                    match set_deliverable(&text, &item.key, &d.text, done) {
                        Ok(_) => {}
                        Err(e) => println!("ERR {} {i} {}: {e}", item.key, d.text),
                    }
                }
            }
        }
    }
}
