//! Providers that are known by their name.
//! For: what need not be said of them. Not for: prices or models.

/// What is known of a provider by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vendor {
    /// The name of the table, `[providers.<name>]`.
    pub name: &'static str,
    /// The word for its protocol.
    pub wire: &'static str,
    /// Where it is.
    pub base_url: &'static str,
    /// The vendor in the table of prices.
    pub prices: &'static str,
    /// The variable that usually holds its key; none where it needs no key.
    pub key_env: Option<&'static str>,
    /// Whether its models run where it runs.
    pub local: bool,
}

const fn cloud(
    name: &'static str,
    wire: &'static str,
    base_url: &'static str,
    prices: &'static str,
    key_env: &'static str,
) -> Vendor {
    Vendor {
        name,
        wire,
        base_url,
        prices,
        key_env: Some(key_env),
        local: false,
    }
}

const GOOGLE: &str = "https://generativelanguage.googleapis.com/v1beta";

/// All of them.
pub const VENDORS: [Vendor; 7] = [
    cloud(
        "anthropic",
        "anthropic",
        "https://api.anthropic.com",
        "anthropic",
        "ANTHROPIC_API_KEY",
    ),
    cloud(
        "openai",
        "openai",
        "https://api.openai.com/v1",
        "openai",
        "OPENAI_API_KEY",
    ),
    cloud("gemini", "gemini", GOOGLE, "google", "GEMINI_API_KEY"),
    cloud("google", "gemini", GOOGLE, "google", "GEMINI_API_KEY"),
    cloud(
        "groq",
        "openai",
        "https://api.groq.com/openai/v1",
        "groq",
        "GROQ_API_KEY",
    ),
    Vendor {
        name: "ollama",
        wire: "ollama",
        base_url: "http://127.0.0.1:11434",
        prices: "ollama",
        key_env: None,
        local: true,
    },
    // It sits before models that may be anywhere, so nothing is said of where they run.
    Vendor {
        name: "anythingllm",
        wire: "openai",
        base_url: "http://127.0.0.1:3001/api/v1/openai",
        prices: "anythingllm",
        key_env: Some("ANYTHINGLLM_API_KEY"),
        local: false,
    },
];

/// The one of this name.
#[must_use]
pub fn vendor(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.name == name)
}

/// Where a wire's inventor serves it, if that is what a provider without a base URL means. The wire of OpenAI is
/// spoken by too many for that: a key would go to the wrong one.
pub(super) fn of_wire(wire: &str) -> Option<&'static Vendor> {
    vendor(wire).filter(|vendor| vendor.wire == wire && wire != "openai")
}
