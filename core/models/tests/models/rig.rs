//! A user's configuration, and models opened with it.

use callboard_config::{Config, Environment, Overrides};
use callboard_models::{Models, Opening, Secrets, keeping};
use callboard_store::SystemClock;
use callboard_telemetry::CallLog;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Writes the user's configuration below a home directory.
pub fn configure(home: &Path, text: &str) {
    let dir = home.join(".config/callboard");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("config.toml"), text).unwrap();
}

/// With the configuration that is there, on the board in this directory.
pub async fn open(
    environment: Environment,
    project: Option<PathBuf>,
    board: &Path,
    secrets: Secrets,
) -> Models {
    let config = Config::load(&environment, project.as_deref(), &Overrides::default()).unwrap();
    std::fs::create_dir_all(board).unwrap();
    let opening = Opening {
        log: CallLog::keeping(board, keeping(&config)),
        environment,
        config,
        project,
        store: callboard_board::open(board).unwrap(),
        clock: Arc::new(SystemClock),
        secrets,
    };
    Models::open(opening).await.unwrap()
}
