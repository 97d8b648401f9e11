//! Choices of the roadmap: which nobody has made, and making one in the results.
//!
//! For: options between which a person chooses. Not for: asking the person (whoever starts the crew does).

use crate::error::CrewError;
use crate::posting::title;
use crate::project::Project;
use callboard_roadmap::{ItemKey, Roadmap, Status};
use callboard_worktree::{Edit, Message, Oid};

/// A choice that nobody has made yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenChoice {
    /// Its name, the same as long as it is open.
    pub group: ItemKey,
    /// What is to be decided.
    pub title: String,
    /// The options with their titles, in document order.
    pub options: Vec<(ItemKey, String)>,
}

fn open_choices(roadmap: &Roadmap) -> Vec<OpenChoice> {
    let choices = roadmap.choices().into_iter();
    choices
        .map(|choice| OpenChoice {
            title: choice.parent.map_or_else(|| "a choice".to_owned(), title),
            options: choice
                .options
                .iter()
                .map(|option| (option.key.clone(), title(option)))
                .collect(),
            group: choice.group,
        })
        .collect()
}

impl Project {
    /// The choices that are open in the user's commit and not made in the results either.
    pub(crate) fn open_choices(&self) -> Result<Vec<OpenChoice>, CrewError> {
        let (roadmap, _) = self.roadmap_at(&self.repo.head()?.commit)?;
        let mut open = open_choices(&roadmap);
        if let Some(head) = self.integration_head()?
            && !open.is_empty()
        {
            let (results, _) = self.roadmap_at(&head)?;
            let there = open_choices(&results);
            open.retain(|choice| {
                let is_new = choice
                    .options
                    .iter()
                    .all(|(key, _)| results.item(key).is_none());
                is_new || there.iter().any(|other| other.group == choice.group)
            });
        }
        Ok(open)
    }

    /// Marks the chosen options as begun in the results, so that they are worked and the others are not. One
    /// whose choice is made already is left alone. A crash before the ref moves leaves the choice open.
    pub(crate) fn decide(&self, head: Oid, chosen: &[ItemKey]) -> Result<Oid, CrewError> {
        let mut head = head;
        for key in chosen {
            let (roadmap, bytes) = self.roadmap_at(&head)?;
            let open = open_choices(&roadmap);
            let option = open
                .iter()
                .flat_map(|choice| &choice.options)
                .find(|option| option.0 == *key);
            let Some((_, name)) = option else { continue };
            let edited = callboard_roadmap::set_status(&bytes, key, Status::InProgress).map_err(
                |error| {
                    CrewError::refused(
                        format!("{name:?} was chosen, but could not be marked: {error}"),
                        "write (chosen) behind its title and commit that",
                    )
                },
            )?;
            let message = Message::new("chore", Some("roadmap"), &format!("choose {name}"));
            let edit = [Edit::new(&self.roadmap, edited.bytes)];
            if let Some(made) = self.repo.edit_commit(&head, &edit, &message)? {
                self.repo
                    .ref_update(&self.integration.reference, &made.commit, Some(&head))?;
                head = made.commit;
            }
        }
        Ok(head)
    }
}
