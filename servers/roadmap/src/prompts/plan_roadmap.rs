//! `plan_roadmap`: from a goal to a ROADMAP.md that agents can work.

use crate::state::Roadmaps;
use callboard_mcp::{CallContext, Message, Prompt, PromptArgument, PromptArguments, ToolError};
use std::sync::Arc;

/// A roadmap in the shape that is understood best; a test reads it.
const EXAMPLE: &str = "\
# Roadmap

### PRIORITY 1: Read the journal
**Status**: 📝 Planned
**Estimated Duration**: 1-2 days
**Dependency**: None

What is to be built and how one sees that it works, in a few sentences.

**Deliverables**:
- [ ] A parser for one line, with tests
- [ ] An error that names the line

### PRIORITY 2: Totals by category
**Status**: 📝 Planned
**Estimated Duration**: 1 day
**Dependency**: PRIORITY 1

A table of what was spent on each category.

**Deliverables**:
- [ ] `tally totals` prints the table
";

pub(crate) struct PlanRoadmap;

impl Prompt<Roadmaps> for PlanRoadmap {
    const NAME: &'static str = "plan_roadmap";
    const TITLE: &'static str = "Plan a roadmap";
    const DESCRIPTION: &'static str =
        "Writes a ROADMAP.md for a goal, in a form that agents can work from, and checks it.";
    const ARGUMENTS: &'static [PromptArgument] = &[
        PromptArgument {
            name: "goal",
            description: "What is to be reached, in your own words.",
            required: true,
        },
        PromptArgument {
            name: "path",
            description: "Absolute path of the repository; the client's project if left out.",
            required: false,
        },
    ];

    async fn messages(
        _: Arc<Roadmaps>,
        arguments: PromptArguments,
        _: CallContext,
    ) -> Result<Vec<Message>, ToolError> {
        let goal = arguments.get("goal").unwrap_or_default();
        let (place, call) = match arguments.get("path") {
            Some(path) => (
                format!("the repository {path}"),
                format!("roadmap_read with path {path:?}"),
            ),
            None => ("this repository".to_owned(), "roadmap_read".to_owned()),
        };
        Ok(vec![Message::user(text(goal, &place, &call))])
    }
}

fn text(goal: &str, place: &str, call: &str) -> String {
    format!(
        "Plan this goal as a ROADMAP.md in {place}:\n\n{goal}\n\n\
         Look at the repository first, so that the plan starts from what is there. If there is a ROADMAP.md, keep its \
         style and its items, and add to it. Then write items like these:\n\n```markdown\n{EXAMPLE}```\n\n\
         Rules:\n\
         - Each item is worked by an agent that knows only its text: say what is to be built, where, and how one sees \
         that it works. One item is one branch: at most some days of work, with tests.\n\
         - Items without a dependency are worked at the same time. Let two items that must change the same lines depend \
         on each other, and nothing else.\n\
         - A dependency names items (PRIORITY 1, PRIORITY 3) or None. What nobody can check from the repository belongs \
         to a person: give that item the status Blocked and say why.\n\
         - Deliverables are check-boxes, each something one can see.\n\
         - Where a person must choose between ways, write them as \"Option A: …\", \"Option B: …\" below one item.\n\n\
         Afterwards call {call}: every item must be listed with its dependencies, and nothing under not_understood. \
         Correct the file until it is so. Show me the items and what you are unsure of, and commit only when I agree; \
         roadmap_start works what is committed."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard_roadmap::ItemKey;

    #[test]
    fn the_example_is_understood_in_full() {
        let roadmap = callboard_roadmap::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(roadmap.not_understood, []);
        let keys: Vec<&str> = roadmap
            .open_work()
            .iter()
            .map(|item| item.key.as_str())
            .collect();
        assert_eq!(keys, ["priority-1", "priority-2"]);
        let second = roadmap.item(&ItemKey::from("priority-2")).unwrap();
        assert_eq!(
            roadmap.waits_for(&second.key),
            [ItemKey::from("priority-1")]
        );
        assert_eq!(second.deliverables.len(), 1);
        assert!(second.duration().is_some());
        assert!(
            callboard_crew::plan(&roadmap)
                .iter()
                .all(|planned| planned.hold.is_none())
        );
    }
}
