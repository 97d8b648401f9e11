//! `roadmap_start`: the crew at work in the background of this process.

use crate::desk::{Facts, Run};
use crate::errors;
use crate::place::{PathText, Place, blocking};
use crate::state::{Roadmaps, busy_elsewhere};
use callboard_config::Overrides;
use callboard_crew::{Again, Agent, CrewError};
use callboard_mcp::{
    CallContext, Effect, ErrorKind, Id, Question, Render, Role, Tool, ToolError, Whole,
};
use callboard_roadmap::ItemKey;
use callboard_store::actor::{self, Actor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// How long the roadmap may take to be read before the answer goes out without its number of items.
const LOADING: Duration = Duration::from_secs(10);
/// How many choices the user is asked about at one start.
const MAX_CHOICES: usize = 5;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoadmapStartParams {
    /// The repository's absolute path; default: the client's project.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    path: Option<PathText>,
    /// Name of an agent in the user's configuration; default: the configured one.
    #[serde(default)]
    agent: Option<Id>,
    /// How many work at once.
    #[serde(default)]
    agents: Option<Whole<1, 16>>,
    /// Try again what failed or was left for a person.
    #[serde(default)]
    retry: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct RoadmapStartOutput {
    run: String,
    state: String,
    already_running: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<usize>,
    agent: String,
    agents: u32,
    integration: String,
    board: String,
    note: String,
}

impl Render for RoadmapStartOutput {
    fn text(&self) -> String {
        let already = if self.already_running {
            "was already at work: "
        } else {
            ""
        };
        let items = self
            .items
            .map_or(String::new(), |items| format!(", {items} open items"));
        format!(
            "{already}run {} is {}{items}, up to {} agents at once ({}), results go to {}; board {}\n{}\n",
            self.run, self.state, self.agents, self.agent, self.integration, self.board, self.note
        )
    }
}

pub(crate) struct RoadmapStart;

impl Tool<Roadmaps> for RoadmapStart {
    const NAME: &'static str = "roadmap_start";
    const TITLE: &'static str = "Work a roadmap";
    const DESCRIPTION: &'static str = "Works a repository's committed roadmap to its end with several agents at once, in \
the background; answers at once with a run id (then roadmap_wait). The work belongs to this server process and ends, \
interrupted but with nothing lost, when the client closes it; `callboard run` is for work that must go on.";
    const EFFECT: Effect = Effect::Write {
        destructive: false,
        idempotent: false,
    };
    const ROLE: Role = Role::Developer;
    const OPEN_WORLD: bool = true;
    type Params = RoadmapStartParams;
    type Output = RoadmapStartOutput;

    async fn call(
        server: Arc<Roadmaps>,
        params: RoadmapStartParams,
        ctx: CallContext,
    ) -> Result<RoadmapStartOutput, ToolError> {
        let place = settled(&server, &params).await?;
        let decided = decided(&server, &place, &ctx).await?;
        let (run, already) = begin(&server, &place, params.retry, decided.chosen, &ctx).await?;
        tokio::select! {
            began = run.began_within(LOADING) => began?,
            () = ctx.cancelled(), if !already => {
                // Nobody will learn of this run.
                run.stop();
                return Err(ToolError::cancelled());
            }
        }
        Ok(view(&run, already, &place, &decided.open))
    }
}

/// The repository with the settings of this call. An agent is a name, so that no client can bring a command line.
async fn settled(server: &Roadmaps, params: &RoadmapStartParams) -> Result<Place, ToolError> {
    let place = server.place(params.path.as_ref()).await?.trusted()?;
    let agent = params.agent.as_ref().map(|agent| agent.to_string());
    if let Some(agent) = &agent
        && !place.config.agents.contains_key(agent)
    {
        return Err(unknown_agent(&place, agent));
    }
    let flags = Overrides {
        agent,
        agents: params.agents.map(Whole::get),
        ..Overrides::default()
    };
    server
        .place_with(params.path.as_ref(), flags)
        .await?
        .trusted()
}

fn unknown_agent(place: &Place, agent: &str) -> ToolError {
    ToolError::invalid(format!("agent: {agent:?} is not configured")).hint(agents_to_name(place))
}

/// What the user decided of the roadmap's open choices.
#[derive(Default)]
struct Decided {
    chosen: Vec<ItemKey>,
    /// Where the others can be decided.
    open: Vec<String>,
}

/// Asks the user which way to go where the roadmap leaves that to a person. A choice that is not made holds up
/// nothing but its own options.
async fn decided(
    server: &Roadmaps,
    place: &Place,
    ctx: &CallContext,
) -> Result<Decided, ToolError> {
    let mut decided = Decided::default();
    if server.desk(place).at_work().is_some() || server.elsewhere(place).await?.is_some() {
        return Ok(decided);
    }
    let Ok(choices) = server.onlooker(place).await?.choices().await else {
        // The run reads the same document, and says what is wrong with it.
        return Ok(decided);
    };
    for choice in choices.into_iter().take(MAX_CHOICES) {
        let options = choice
            .options
            .iter()
            .map(|(key, title)| (key.as_str(), title.as_str()));
        let question = Question::choice(format!("Which way for {:?}?", choice.title), options);
        match ctx.ask(&format!("choice:{}", choice.group), question).await {
            Ok(reply) => decided.chosen.extend(reply.choice().map(ItemKey::from)),
            Err(error) if error.kind == ErrorKind::NeedsPerson => {
                decided.open.push(error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(decided)
}

async fn begin(
    server: &Arc<Roadmaps>,
    place: &Place,
    retry: bool,
    chosen: Vec<ItemKey>,
    ctx: &CallContext,
) -> Result<(Arc<Run>, bool), ToolError> {
    let desk = server.desk(place);
    let _gate = desk.gate.lock().await;
    if let Some(run) = desk.at_work() {
        return Ok((run, true));
    }
    if let Some(pid) = server.elsewhere(place).await? {
        return Err(busy_elsewhere(place, pid));
    }
    let agent = choose(server, place).await?;
    let facts = Facts {
        board: place.config.board.value.to_string_lossy().into_owned(),
        agent: agent.name.clone(),
        agents: place.config.run.agents.value,
        integration: place.config.run.integration_branch.value.clone(),
    };
    let again = if retry { Again::Retry } else { Again::Leave };
    let crew = server.crew(place, agent, again, chosen).await?;
    let board = server.board(place).await?;
    callboard_models::try_set_limits(&place.config, Some(&place.root), &board).await;
    let id = server.next_run_id();
    // Before it begins: a run of which nobody can tell who wanted it must not be.
    let detail = [
        ("project", place.root.to_string_lossy().into_owned()),
        ("agent", facts.agent.clone()),
        ("agents", facts.agents.to_string()),
        ("onto", facts.integration.clone()),
    ];
    server.write_down(place, "run_start", &id, &detail).await?;
    let run = Run::begin(id, facts, crew);
    desk.put(Arc::clone(&run));
    let (whose, at, of) = (Arc::clone(server), place.clone(), Arc::clone(&run));
    actor::spawn(ends_with_its_caller(whose, at, of, ctx.shut_out()));
    Ok((run, false))
}

/// Stops a run whose caller would not be let in any more: it works in that name.
async fn ends_with_its_caller(
    server: Arc<Roadmaps>,
    place: Place,
    run: Arc<Run>,
    shut_out: impl Future<Output = String> + Send + 'static,
) {
    let why = tokio::select! {
        () = run.ended() => return,
        why = shut_out => why,
    };
    tracing::info!(run = run.id, why, "a run is stopped");
    run.stop_because(&why);
    let detail = [
        ("project", place.root.to_string_lossy().into_owned()),
        ("why", why),
    ];
    // Whoever began it has no part in this.
    let by = Arc::new(Actor::program("roadmap.roadmap_start"));
    let written = server.write_down(&place, "run_stop", &run.id, &detail);
    if let Err(error) = actor::scope(by, written).await {
        tracing::warn!(%error, run = run.id, "that a run was stopped is not in the audit");
    }
}

async fn choose(server: &Roadmaps, place: &Place) -> Result<Agent, ToolError> {
    let (place, program) = (place.clone(), server.program().to_path_buf());
    blocking(move || {
        Agent::choose(&place.config, &place.root, &program).map_err(|error| match error {
            CrewError::Refused { message, .. } => {
                ToolError::new(ErrorKind::NeedsPerson, message).hint(agents_to_name(&place))
            }
            other => errors::crew(other),
        })
    })
    .await
}

/// What can be given as agent, or how the user makes something that can.
fn agents_to_name(place: &Place) -> String {
    let names: Vec<&str> = place.config.agents.keys().map(String::as_str).collect();
    if names.is_empty() {
        return "the user configures an agent in config.toml, [agents.claude] command = [\"claude\", \"-p\"]; \
                then agent = \"claude\""
            .to_owned();
    }
    format!("call it with agent, one of: {}", names.join(", "))
}

fn view(run: &Run, already_running: bool, place: &Place, open: &[String]) -> RoadmapStartOutput {
    let facts = run.facts.clone();
    let open: String = open
        .iter()
        .map(|question| format!("{question}\n"))
        .collect();
    RoadmapStartOutput {
        run: run.id.clone(),
        state: run.state().to_owned(),
        already_running,
        items: run.progress().items,
        agent: facts.agent,
        agents: facts.agents,
        integration: facts.integration,
        board: facts.board,
        note: format!(
            "{open}The work belongs to this server process: when the client closes it, agents are ended and their attempts go \
             back to the queue; nothing that was committed or merged is lost. To go on without a client: {}",
            place.command()
        ),
    }
}
