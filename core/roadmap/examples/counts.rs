//! Prints what is found in a roadmap: `cargo run -p callboard-roadmap --example counts -- FILE`.
//! For checking a document of one's own against a count by hand. Not for programs: use the library.
#![allow(clippy::print_stdout)]

use callboard_roadmap::{Roadmap, parse};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name a file")?;
    let roadmap = parse(&std::fs::read(path)?)?;
    for item in &roadmap.items {
        print_item(&roadmap, item);
    }
    for left in &roadmap.not_understood {
        println!(
            "line {}: {:?}: {} ({})",
            left.line, left.what, left.text, left.reason
        );
    }
    print_counts(&roadmap);
    Ok(())
}

fn print_item(roadmap: &Roadmap, item: &callboard_roadmap::Item) {
    let indent = "  ".repeat(item.depth as usize);
    let own = item.status.as_ref().map_or("-", |s| s.text.as_str());
    let status = roadmap
        .status_of(&item.key)
        .map_or("-", callboard_roadmap::Status::words);
    println!(
        "{indent}{}: {} [{}] {status} ({own})",
        item.line, item.key, item.title
    );
    let days = item
        .duration()
        .map(|e| format!("{} = {:?}-{:?}", e.text, e.min_days, e.max_days));
    println!(
        "{indent}  days {days:?} window {:?} importance {:?} optional {} choice {:?} chosen {}",
        item.window, item.importance, item.optional, item.choice, item.chosen
    );
    println!(
        "{indent}  waits for {:?}",
        roadmap
            .waits_for(&item.key)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    );
    for dependency in &item.dependencies {
        println!("{indent}  after {:?}: {dependency:?}", dependency.text);
    }
    for estimate in &item.estimates {
        println!(
            "{indent}  estimate {}: {:?} {} step {}",
            estimate.line, estimate.label, estimate.text, estimate.step
        );
    }
    for deliverable in &item.deliverables {
        println!(
            "{indent}  deliverable {}: {} {} ({:?}) box {}",
            deliverable.line,
            if deliverable.done { "x" } else { " " },
            deliverable.text,
            deliverable.group,
            deliverable.span.is_some()
        );
    }
}

fn print_counts(roadmap: &Roadmap) {
    let items = &roadmap.items;
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for item in items {
        let kind = format!("{:?}", item.kind);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    println!("items {} {kinds:?}", items.len());
    println!(
        "statuses {} and of the document {}",
        items.iter().filter(|i| i.status.is_some()).count(),
        usize::from(roadmap.status.is_some())
    );
    let estimates = || items.iter().flat_map(|i| &i.estimates);
    println!(
        "durations {} of which steps {}",
        estimates().count(),
        estimates().filter(|e| e.step).count()
    );
    println!(
        "windows {}",
        items.iter().filter(|i| i.window.is_some()).count()
    );
    let needs = || items.iter().flat_map(|i| &i.dependencies);
    println!(
        "dependencies {} of which blockers {}",
        needs().count(),
        needs()
            .filter(|d| d.need == callboard_roadmap::Need::Blocker)
            .count()
    );
    let results = || items.iter().flat_map(|i| &i.deliverables);
    println!(
        "deliverables {} of which with a mark {}",
        results().count(),
        results().filter(|d| d.span.is_some()).count()
    );
    println!(
        "open {} choices {} not understood {}",
        roadmap.open_work().len(),
        roadmap.choices().len(),
        roadmap.not_understood.len()
    );
}
