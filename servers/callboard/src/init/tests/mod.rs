//! What `callboard init` writes, on directories of its own.

mod clients;
mod codex;
mod foreign;
mod shown;
mod undone;
mod written;

use super::*;
use std::os::unix::fs::PermissionsExt;

const MEMBER: &str = "mcpServers";

fn parse(text: &str) -> Map<String, Value> {
    json::Document::new(text, true).parse().unwrap()
}

fn args(client: Client) -> InitArgs {
    InitArgs {
        client,
        scope: None,
        transport: Transport::Stdio,
        url: DEFAULT_URL.to_owned(),
        path: ".".into(),
        dry_run: false,
        undo: false,
    }
}

struct Rig {
    dir: tempfile::TempDir,
    environment: Environment,
    exe: PathBuf,
}

fn rig(on_path: bool) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::create_dir(dir.path().join("project")).unwrap();
    let exe = bin.join("callboard");
    let file = std::fs::File::create(&exe).unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o755))
        .unwrap();
    let path = if on_path {
        bin
    } else {
        PathBuf::from("/nowhere")
    };
    let environment = Environment::of(
        [("PATH", path), ("HOME", dir.path().join("home"))],
        dir.path().join("project"),
    );
    Rig {
        dir,
        environment,
        exe,
    }
}

impl Rig {
    fn file(&self) -> PathBuf {
        self.dir.path().join("project/.mcp.json")
    }

    fn put(&self, text: &str) {
        std::fs::File::create(self.file())
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    fn run_with(&self, client: Client, dry_run: bool) -> anyhow::Result<String> {
        let args = InitArgs {
            dry_run,
            ..args(client)
        };
        let mut out = Vec::new();
        init_as(&self.exe, &args, &self.environment, &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    fn run(&self) -> anyhow::Result<String> {
        self.run_with(Client::ClaudeCode, false)
    }

    fn files(&self) -> Vec<String> {
        let dir = self.dir.path().join("project");
        let names = std::fs::read_dir(dir).unwrap();
        let mut names: Vec<String> = names
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

const FRESH: &str = r#"{
  "mcpServers": {
    "assigner": {
      "type": "stdio",
      "command": "callboard",
      "args": [
        "assigner"
      ]
    },
    "roadmap": {
      "type": "stdio",
      "command": "callboard",
      "args": [
        "roadmap"
      ]
    },
    "llm": {
      "type": "stdio",
      "command": "callboard",
      "args": [
        "llm"
      ]
    },
    "telemetry": {
      "type": "stdio",
      "command": "callboard",
      "args": [
        "telemetry"
      ]
    }
  }
}
"#;

impl Rig {
    /// Writes `before` where this client looks, runs, and gives what is there then.
    fn there(&self, args: &InitArgs, before: Option<&str>) -> (PathBuf, anyhow::Result<String>) {
        let dir = self.dir.path().join("project").canonicalize().unwrap();
        let scope = args.scope.unwrap_or(args.client.default_scope());
        let file = args.client.file(scope, &dir, &self.environment).unwrap();
        if let Some(text) = before {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::File::create(&file)
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
        }
        let mut out = Vec::new();
        let done = init_as(&self.exe, args, &self.environment, &mut out);
        (file, done.map(|()| String::from_utf8(out).unwrap()))
    }
}

fn content(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap()
}

const CLIENTS: [Client; 6] = [
    Client::ClaudeCode,
    Client::ClaudeDesktop,
    Client::Codex,
    Client::Cursor,
    Client::Vscode,
    Client::Generic,
];
