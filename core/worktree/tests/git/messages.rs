use callboard_worktree::{Edit, Message};

use crate::rig::each_git;

#[test]
fn git_reads_back_what_was_written() {
    each_git(|rig| {
        let repo = rig.repo();
        let title = format!("Größe: {} --all \"quotes\" $(rm) `x`", "word ".repeat(30));
        let message = Message::from_title(&title)
            .with_body("# a line that looks like a comment\n\nKey: looks like a trailer")
            .with_trailer("Callboard-Task", "t_1")
            .with_trailer("Callboard-Attempt", "a_1");
        let commit = repo
            .edit_commit(&rig.head(), &[Edit::new("x", "x")], &message)
            .unwrap()
            .unwrap()
            .commit;
        let raw = rig.git(&["log", "-1", "--format=%B", commit.as_str()]);
        assert_eq!(raw.trim_end(), message.render().trim_end());
        let trailers = rig.git(&["log", "-1", "--format=%(trailers)", commit.as_str()]);
        assert_eq!(
            trailers.trim_end(),
            "Callboard-Task: t_1\nCallboard-Attempt: a_1"
        );
    });
}
