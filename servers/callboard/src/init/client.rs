//! What the MCP clients expect: where their files are, and how an entry looks in each.
//! For: one table of facts about clients. Not for: editing the files.
//!
//! From their documentation, read in November 2026, and where that is silent from the program itself:
//! - Claude Code: <https://code.claude.com/docs/en/mcp>
//! - Claude Desktop: <https://modelcontextprotocol.io/docs/develop/connect-local-servers>: stdio only; servers over
//!   HTTP are added in its settings, and are called from its maker's network, which can't reach this machine
//! - Codex: <https://developers.openai.com/codex/mcp>; that an entry with a member of the other transport keeps it from
//!   starting is in its own message (0.169)
//! - Cursor: <https://cursor.com/docs/mcp>: `${env:NAME}` in `command`, `args`, `env`, `url` and `headers`
//! - Visual Studio Code: <https://code.visualstudio.com/docs/agents/reference/mcp-configuration>: `${input:ID}`, asked
//!   for once and kept encrypted

use anyhow::{Context, bail};
use callboard_config::{Environment, PLACES};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// A kind of MCP client, by where it looks for servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    /// Claude Code: `.mcp.json` of the project, or `~/.claude.json`
    ClaudeCode,
    /// Claude Desktop: `claude_desktop_config.json`, stdio only
    ClaudeDesktop,
    /// Codex: `~/.codex/config.toml`, or `.codex/config.toml` of a trusted project
    Codex,
    /// Cursor: `.cursor/mcp.json` of the project, or `~/.cursor/mcp.json`
    Cursor,
    /// Visual Studio Code: `.vscode/mcp.json` of the project, or the user's `mcp.json`
    Vscode,
    /// Any other: `mcp.json`, to be pointed at or copied from
    Generic,
}

/// Whose file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scope {
    /// The project's, shared with everybody who has the repository
    Project,
    /// The user's own, for every project
    User,
}

/// How the client reaches the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    /// The client starts each server
    Stdio,
    /// The client connects to `callboard serve`
    Http,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, with comments and trailing commas where the client reads them.
    Json {
        /// The member that holds the servers.
        member: &'static str,
        /// Whether the client takes comments.
        comments: bool,
    },
    /// TOML with a table of servers.
    Toml,
}

/// The variable that clients without a helper read the token from.
pub const TOKEN_VARIABLE: &str = "CALLBOARD_TOKEN";
/// Codex's list of variables that a server gets from the environment that Codex itself runs in.
pub const FORWARDED: &str = "env_vars";
/// The id under which Visual Studio Code asks for the token.
pub const TOKEN_INPUT: &str = "callboard-token";

impl Client {
    /// The scope that is meant when none is given.
    pub fn default_scope(self) -> Scope {
        match self {
            Self::ClaudeDesktop | Self::Codex => Scope::User,
            _ => Scope::Project,
        }
    }

    /// Its file.
    pub fn file(
        self,
        scope: Scope,
        project: &Path,
        environment: &Environment,
    ) -> anyhow::Result<PathBuf> {
        let home = || environment.home().map_err(anyhow::Error::from);
        Ok(match (self, scope) {
            (Self::ClaudeCode, Scope::Project) => project.join(".mcp.json"),
            (Self::ClaudeCode, Scope::User) => home()?.join(".claude.json"),
            (Self::ClaudeDesktop, Scope::User) => {
                desktop_settings(environment)?.join("Claude/claude_desktop_config.json")
            }
            (Self::ClaudeDesktop, Scope::Project) => {
                bail!("Claude Desktop has no projects; leave --scope out, or say --scope user")
            }
            (Self::Codex, Scope::Project) => project.join(".codex/config.toml"),
            (Self::Codex, Scope::User) => match environment.get("CODEX_HOME") {
                Some(dir) if !dir.is_empty() => environment.cwd().join(dir).join("config.toml"),
                _ => home()?.join(".codex/config.toml"),
            },
            (Self::Cursor, Scope::Project) => project.join(".cursor/mcp.json"),
            (Self::Cursor, Scope::User) => home()?.join(".cursor/mcp.json"),
            (Self::Vscode, Scope::Project) => project.join(".vscode/mcp.json"),
            (Self::Vscode, Scope::User) => {
                desktop_settings(environment)?.join("Code/User/mcp.json")
            }
            (Self::Generic, Scope::Project) => project.join("mcp.json"),
            (Self::Generic, Scope::User) => {
                bail!(
                    "there is no file of that kind for all projects; leave --scope out, and point the client at mcp.json"
                )
            }
        })
    }

    /// How that file is written.
    pub fn format(self) -> Format {
        match self {
            Self::Codex => Format::Toml,
            Self::Vscode => Format::Json {
                member: "servers",
                comments: true,
            },
            Self::Cursor => Format::Json {
                member: "mcpServers",
                comments: true,
            },
            Self::ClaudeCode | Self::ClaudeDesktop | Self::Generic => Format::Json {
                member: "mcpServers",
                comments: false,
            },
        }
    }

    /// Whether it is started from a desktop, where the shell's PATH does not hold.
    pub fn wants_absolute_command(self) -> bool {
        self == Self::ClaudeDesktop
    }

    /// The entry for one server that the client starts itself.
    pub fn stdio_entry(self, command: &str, server: &str) -> Map<String, Value> {
        let mut entry = Map::new();
        if matches!(self, Self::ClaudeCode | Self::Cursor | Self::Vscode) {
            entry.insert("type".to_owned(), json!("stdio"));
        }
        entry.insert("command".to_owned(), json!(command));
        entry.insert("args".to_owned(), json!([server]));
        if self == Self::Codex {
            // It starts servers with a dozen variables of its own choice; one that is not set is passed over.
            entry.insert(FORWARDED.to_owned(), json!(PLACES));
        }
        entry
    }

    /// Members that keep the client from taking an entry of this transport: those of the other one.
    pub fn refuses(self, transport: Transport) -> &'static [&'static str] {
        match (self, transport) {
            (Self::Codex, Transport::Http) => &["env", FORWARDED, "cwd"],
            (Self::Codex, Transport::Stdio) => &[
                "http_headers",
                "env_http_headers",
                "oauth",
                "oauth_resource",
            ],
            _ => &[],
        }
    }

    /// The entry for one server behind `callboard serve`. It says where the token is, never what it is.
    pub fn http_entry(
        self,
        command: &str,
        base: &str,
        server: &str,
    ) -> anyhow::Result<Map<String, Value>> {
        let url = format!("{}/{server}/mcp", base.trim_end_matches('/'));
        let bearer = |reference: &str| json!({ "Authorization": format!("Bearer {reference}") });
        let mut entry = Map::new();
        if matches!(self, Self::ClaudeCode | Self::Vscode | Self::Generic) {
            entry.insert("type".to_owned(), json!("http"));
        }
        entry.insert("url".to_owned(), json!(url));
        match self {
            Self::ClaudeCode => {
                let helper = format!("{} token header", quoted(command)?);
                entry.insert("headersHelper".to_owned(), json!(helper));
            }
            Self::Codex => {
                entry.insert("bearer_token_env_var".to_owned(), json!(TOKEN_VARIABLE));
            }
            Self::Cursor => {
                let reference = format!("${{env:{TOKEN_VARIABLE}}}");
                entry.insert("headers".to_owned(), bearer(&reference));
            }
            Self::Vscode => {
                let reference = format!("${{input:{TOKEN_INPUT}}}");
                entry.insert("headers".to_owned(), bearer(&reference));
            }
            Self::Generic => {
                let reference = format!("${{{TOKEN_VARIABLE}}}");
                entry.insert("headers".to_owned(), bearer(&reference));
            }
            Self::ClaudeDesktop => {
                bail!("Claude Desktop's file takes servers on stdio only; leave --transport out")
            }
        }
        Ok(entry)
    }

    /// What to do with a written file.
    pub fn next_step(self, transport: Transport) -> Option<&'static str> {
        match (self, transport) {
            (Self::ClaudeCode, Transport::Stdio) => {
                Some("Next: start `claude` in the project; it asks once whether it may use them.")
            }
            (Self::ClaudeCode, Transport::Http) => Some(
                "Next: `callboard serve` in a terminal, then `claude` in the project; `callboard token header` gives it \
                 the token.",
            ),
            (Self::ClaudeDesktop, _) => Some("Next: quit Claude Desktop and start it again."),
            (Self::Vscode, Transport::Http) => Some(
                "Next: `callboard serve` in a terminal; VS Code asks once for the token, which `callboard token header --plain` \
                 prints, and keeps it.",
            ),
            (_, Transport::Http) => Some(
                "Next: `callboard serve` in a terminal, and start the client with the token in CALLBOARD_TOKEN: \
                 export CALLBOARD_TOKEN=\"$(callboard token header --plain)\"",
            ),
            (Self::Codex | Self::Cursor | Self::Vscode, Transport::Stdio) => {
                Some("Next: start the client again, so that it reads the file.")
            }
            (Self::Generic, Transport::Stdio) => None,
        }
    }
}

/// Where desktop programs keep their settings.
fn desktop_settings(environment: &Environment) -> anyhow::Result<PathBuf> {
    if cfg!(target_os = "macos") {
        return Ok(environment.home()?.join("Library/Application Support"));
    }
    match environment.get("XDG_CONFIG_HOME").map(Path::new) {
        Some(dir) if dir.is_absolute() => Ok(dir.to_owned()),
        _ => Ok(environment.home()?.join(".config")),
    }
}

/// A program's path as one word of a shell.
fn quoted(command: &str) -> anyhow::Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if command.chars().all(plain) {
        return Ok(command.to_owned());
    }
    (!command.contains('\0'))
        .then(|| format!("'{}'", command.replace('\'', r"'\''")))
        .context("a program's path holds no NUL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_http_entry_holds_a_token() {
        for client in [
            Client::ClaudeCode,
            Client::Codex,
            Client::Cursor,
            Client::Vscode,
            Client::Generic,
        ] {
            let entry = client
                .http_entry(
                    "/opt/my tools/callboard",
                    "http://127.0.0.1:8700/",
                    "assigner",
                )
                .unwrap();
            assert_eq!(entry["url"], "http://127.0.0.1:8700/assigner/mcp");
            let text = Value::Object(entry).to_string();
            assert!(!text.contains("cb_"), "{text}");
            let names_it = ["token header", "CALLBOARD_TOKEN", TOKEN_INPUT];
            assert!(names_it.iter().any(|name| text.contains(name)), "{text}");
        }
        let helper = Client::ClaudeCode
            .http_entry("/opt/my tools/callboard", "http://h", "a")
            .unwrap();
        assert_eq!(
            helper["headersHelper"],
            "'/opt/my tools/callboard' token header"
        );
        assert!(
            Client::ClaudeDesktop
                .http_entry("c", "http://h", "a")
                .is_err()
        );
    }
}
