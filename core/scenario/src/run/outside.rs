//! Steps that are not the protocol's: commands, files, faults.

use super::actor::{Actor, Miss};
use super::verbs::given;
use crate::format::{Command, Step};
use crate::judge::Evidence;
use crate::read::verb;
use crate::rig::{Child, Pipes, Spawn, signal};
use crate::values::{Wrong, without_secrets};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use tokio::io::AsyncWriteExt as _;

/// How much of a command's output a failure shows.
const SHOWN: usize = 4_000;

impl Actor {
    pub(super) async fn run(&mut self, step: &Step) -> Result<Evidence, Miss> {
        let (program, args) = match given(&step.run)? {
            Command::Shell(line) => (
                "sh".to_owned(),
                vec!["-euc".to_owned(), self.scope.outside(line)?],
            ),
            Command::Words(words) => {
                let mut words = self.scope.list_outside(words)?;
                let program = words.remove(0);
                (program, words)
            }
        };
        let rig = Arc::clone(&self.stage.rig);
        let cwd = match &step.cwd {
            Some(cwd) => rig.place(&self.scope.outside(cwd)?),
            None => rig.work(),
        };
        let env = rig.env(
            self.scope
                .texts_outside(step.env.as_ref().unwrap_or(&Default::default()))?,
        );
        let spawn = Spawn {
            program: found(&program, env.get("PATH").map_or("", String::as_str)).into(),
            args,
            env,
            cwd,
        };
        let (child, _) = Child::start(spawn, Pipes::Kept)?;
        if let Some(mut pipe) = child.stdin.lock().await.take() {
            let input = self
                .scope
                .outside(step.stdin.as_deref().unwrap_or_default())?;
            // A command that does not read its input is no error.
            let _ = pipe.write_all(input.as_bytes()).await;
        }
        let ended = child.wait().await;
        let (stdout, stderr) = (child.stdout.text(), child.stderr.text());
        let code = ended.code.map_or(Value::Null, Value::from);
        let wanted = match &step.exit {
            Some(exit) => self.scope.value(exit)?,
            None => json!(0),
        };
        if wanted != "any" && wanted != code {
            return Err(Miss::Wrong(format!(
                "{program} {}, expected code {wanted}{}{}",
                ended.told(),
                shown("stdout", &stdout),
                shown("stderr", &stderr)
            )));
        }
        Ok(Evidence {
            text: Some(stdout.clone()),
            value: Some(
                json!({"code": code, "signal": ended.signal, "stdout": stdout, "stderr": stderr}),
            ),
            ..Evidence::default()
        })
    }

    pub(super) async fn file(&mut self, step: &Step) -> Result<Evidence, Miss> {
        let path = self
            .stage
            .rig
            .place(&self.scope.outside(given(&step.file)?)?);
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        if step.remove == Some(true) {
            let gone = if path.is_dir() {
                tokio::fs::remove_dir_all(&path).await
            } else {
                tokio::fs::remove_file(&path).await
            };
            gone.map_err(failed)?;
        }
        if let Some(text) = self.content(step)? {
            if let Some(parent) = path.parent() {
                tokio::fs::create_dir_all(parent).await.map_err(failed)?;
            }
            tokio::fs::write(&path, text).await.map_err(failed)?;
        }
        if let Some(more) = &step.append {
            let mut text = tokio::fs::read_to_string(&path).await.unwrap_or_default();
            text.push_str(&self.scope.outside(more)?);
            tokio::fs::write(&path, text).await.map_err(failed)?;
        }
        if let Some(mode) = &step.mode {
            let bits = u32::from_str_radix(mode, 8)
                .map_err(|_| format!("{mode:?} is no mode such as \"755\""))?;
            let permissions = std::fs::Permissions::from_mode(bits);
            tokio::fs::set_permissions(&path, permissions)
                .await
                .map_err(failed)?;
        }
        Ok(look(&path).await)
    }

    fn content(&self, step: &Step) -> Result<Option<String>, Wrong> {
        match (&step.text, &step.json) {
            (Some(text), _) => self.scope.outside(text).map(Some),
            (None, Some(json)) => {
                let value = self.scope.value(json)?;
                let text =
                    serde_json::to_string_pretty(&value).map_err(|error| error.to_string())?;
                without_secrets(text).map(Some)
            }
            (None, None) => Ok(None),
        }
    }

    /// Faults, and looking at what they did.
    pub(super) async fn fault(&mut self, step: &Step) -> Result<Evidence, Miss> {
        let stage = Arc::clone(&self.stage);
        match verb(step) {
            "kill" => {
                let held = stage.child(given(&step.kill)?).await?;
                held.kill(signal(step.signal.as_deref().unwrap_or("KILL"))?)
                    .await;
                Ok(Evidence::default())
            }
            "close" => {
                stage.close(given(&step.close)?).await?;
                Ok(Evidence::default())
            }
            "start" => Ok(Evidence::of(
                stage.start(given(&step.start)?, &mut self.scope).await?,
            )),
            "restart" => Ok(Evidence::of(
                stage
                    .restart(given(&step.restart)?, &mut self.scope)
                    .await?,
            )),
            "ended" => {
                let held = stage.child(given(&step.ended)?).await?;
                let ended = held.child().wait().await;
                Ok(Evidence::of(
                    json!({"code": ended.code, "signal": ended.signal}),
                ))
            }
            "output" => {
                let held = stage.child(given(&step.output)?).await?;
                let (stdout, stderr) = (held.child().stdout.text(), held.child().stderr.text());
                Ok(Evidence {
                    text: Some(stderr.clone()),
                    value: Some(json!({"stdout": stdout, "stderr": stderr})),
                    ..Evidence::default()
                })
            }
            other => Err(Miss::Wrong(format!("`{other}` can't be done"))),
        }
    }
}

/// The program's path: the child's PATH counts, not ours.
fn found(program: &str, path: &str) -> String {
    if program.contains('/') {
        return program.to_owned();
    }
    std::env::split_paths(path)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
        .map_or_else(|| program.to_owned(), |found| found.display().to_string())
}

async fn look(path: &Path) -> Evidence {
    let bytes = tokio::fs::read(path).await.ok();
    let text = bytes
        .as_ref()
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let mode = tokio::fs::metadata(path)
        .await
        .ok()
        .map(|meta| format!("{:o}", meta.permissions().mode() & 0o7777));
    Evidence {
        value: Some(json!({
            "exists": path.exists(),
            "size": bytes.as_ref().map(Vec::len),
            "mode": mode,
            "text": text,
        })),
        text,
        ..Evidence::default()
    }
}

fn shown(name: &str, text: &str) -> String {
    let text = text.trim_end();
    if text.is_empty() {
        return String::new();
    }
    let from = text.len().saturating_sub(SHOWN);
    let from = (from..text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    format!("\n{name}: {}", &text[from..])
}
