//! The commands in a document's fenced blocks.

use std::process;

/// What a reader pastes.
#[derive(Clone, Debug)]
pub(super) struct Command {
    /// In the document.
    pub(super) line: usize,
    /// Without comments; several lines, where it has them.
    pub(super) text: String,
    /// Which block has it.
    pub(super) block: usize,
    /// The last line before the block that begins in bold.
    pub(super) title: String,
}

/// Those in blocks of the kind `sh`, in their order. A block can be a part of a list.
pub(super) fn commands(document: &str) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    let (mut inside, mut block) = (false, 0);
    let (mut title, mut text) = (String::new(), String::new());
    for (line, content) in (1..).zip(document.lines()) {
        let content = content.trim();
        match (inside, content) {
            (false, "```sh") => (inside, block) = (true, block + 1),
            (true, "```") => {
                assert_eq!(text, "", "line {line}: a command without its end");
                inside = false;
            }
            (false, _) => {
                if content.starts_with("**") {
                    content.clone_into(&mut title);
                }
            }
            (true, _) => {
                let content = content.split(" # ").next().unwrap_or_default().trim_end();
                if content.is_empty() || content.starts_with('#') {
                    continue;
                }
                text = match text.strip_suffix('\\') {
                    Some(before) => format!("{before}{content}"),
                    None if text.is_empty() => content.to_owned(),
                    None => format!("{text}\n{content}"),
                };
                if is_whole(&text) {
                    commands.push(Command {
                        line,
                        text: std::mem::take(&mut text),
                        block,
                        title: title.clone(),
                    });
                }
            }
        }
    }
    assert!(!inside, "a block without its end");
    commands
}

/// Whether the shell would run it, and not wait for more.
fn is_whole(text: &str) -> bool {
    let mut shell = process::Command::new("bash");
    shell.args(["-n", "-c", text]);
    !text.ends_with('\\') && shell.output().unwrap().status.success()
}

#[test]
fn finds_commands() {
    let document = "# A\n\n**B**\n\n```sh\n# c\nd  # e\nfor f in g; do\n  h\ndone\n```\n\n- i\n\n  ```sh\n  j \\\n    k\n  l '\n  '\n  ```\n";
    let found = commands(document);
    let texts: Vec<_> = found.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["d", "for f in g; do\nh\ndone", "j k", "l '\n'"]);
    let places: Vec<_> = found.iter().map(|it| (it.line, it.block)).collect();
    assert_eq!(places, [(7, 1), (10, 1), (17, 2), (19, 2)]);
    assert_eq!(found[3].title, "**B**");
}
