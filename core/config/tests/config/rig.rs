//! A user's home and a project, in directories of their own.

use callboard_config::{Config, ConfigError, Environment, Overrides, ProjectFile, Projects};
use std::path::PathBuf;

/// Whether it is one of the keys of models, which have tests of their own (`models.rs`).
pub fn is_of_models(key: &str) -> bool {
    let tables = [
        "providers",
        "routes",
        "budgets",
        "limits",
        "prices",
        "llm",
        "gateway",
    ];
    tables.contains(&key.split('.').next().unwrap())
}

pub struct Rig {
    dir: tempfile::TempDir,
    vars: Vec<(String, String)>,
}

/// Nothing is configured.
pub fn rig() -> Rig {
    let dir = tempfile::tempdir().unwrap();
    for sub in ["home/.config/callboard", "project", "cwd"] {
        std::fs::create_dir_all(dir.path().join(sub)).unwrap();
    }
    Rig {
        dir,
        vars: Vec::new(),
    }
}

impl Rig {
    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub fn user(self, text: &str) -> Self {
        std::fs::write(self.path("home/.config/callboard/config.toml"), text).unwrap();
        self
    }

    pub fn project(self, text: &str) -> Self {
        std::fs::write(self.root().join("callboard.toml"), text).unwrap();
        self
    }

    pub fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn environment(&self) -> Environment {
        let home = self.path("home").display().to_string();
        let fixed = [("HOME".to_owned(), home)];
        Environment::of(fixed.into_iter().chain(self.vars.clone()), self.path("cwd"))
    }

    pub fn projects(&self) -> Projects {
        Projects::of(&self.environment()).unwrap()
    }

    pub fn root(&self) -> PathBuf {
        self.path("project")
    }

    /// The project's file as it is now is trusted.
    pub fn trust(&self) {
        let file = ProjectFile::read(&self.root()).unwrap().unwrap();
        self.projects().trust(&self.root(), &file.sha256).unwrap();
    }

    pub fn load(&self) -> Result<Config, ConfigError> {
        self.load_with(&Overrides::default())
    }

    pub fn load_with(&self, flags: &Overrides) -> Result<Config, ConfigError> {
        Config::load(&self.environment(), Some(&self.root()), flags)
    }

    pub fn config(&self) -> Config {
        self.load().unwrap()
    }

    pub fn error(&self) -> String {
        self.load().unwrap_err().to_string()
    }
}
