//! Sums by hand, names, and what a price file may not say.

use super::*;
use crate::calendar::{DAY_MS, days_from_civil};

fn table() -> PriceTable {
    PriceTable::built_in().unwrap()
}

fn on(year: i64, month: u8, day: u8) -> i64 {
    days_from_civil(year, month, day) * DAY_MS
}

fn now() -> i64 {
    on(2026, 11, 21)
}

fn mode(text: &str) -> Mode {
    Mode::from(text.to_owned())
}

fn tokens(input: u64, cached: u64, cache_write: u64, cache_write_1h: u64, output: u64) -> Tokens {
    Tokens {
        input,
        cached,
        cache_write,
        cache_write_1h,
        output,
        reasoning: 0,
    }
}

fn cost(provider: &str, model: &str, tokens: &Tokens, mode: &Mode) -> Option<i64> {
    let priced = table().cost(provider, model, now(), tokens, mode)?;
    Some(priced.cost.0)
}

/// Input, cached, written, written for an hour, output; and the micro-dollars that come of them.
const SUMS: &str = "
# $5 for a million in, $25 out: 1000 * 5 + 200 * 25.
anthropic claude-opus-4-8 standard 1000 0 0 0 200 = 10000
# 100 plain * 5 + 800 cached * 0.5 + 100 written * 6.25 = 500 + 400 + 625.
anthropic claude-opus-4-8 standard 1000 800 100 0 0 = 1525
# Of 100 written, 40 for an hour: 500 + 400 + 60 * 6.25 + 40 * 10.
anthropic claude-opus-4-8 standard 1000 800 100 40 0 = 1675
# A batch costs half: (1675 + 200 * 25) / 2 = 3337.5.
anthropic claude-opus-4-8 batch 1000 800 100 40 200 = 3338
# 3 tokens * 0.1 = 0.3: rounded once, to nothing; 5 are a half, which goes up.
anthropic claude-haiku-5-5 standard 3 0 0 0 0 = 0
anthropic claude-haiku-5-5 standard 5 0 0 0 0 = 1
# 4 * 0.1 + 1 * 0.5 = 0.9: rounded one by one it would be 0 + 1; 2 * 0.1 + 3 * 0.01 + 1 * 0.125 = 0.355, and nothing.
anthropic claude-haiku-5-5 standard 4 0 0 0 1 = 1
anthropic claude-haiku-5-5 standard 6 3 1 0 0 = 0
# At 100,000 still the short price: 10000 + 1000 * 0.5; one more, and every token costs five times: 50000.5 + 2500.
anthropic claude-haiku-5-5 standard 100000 0 0 0 1000 = 10500
anthropic claude-haiku-5-5 standard 100001 0 0 0 1000 = 52501
# Cached input counts towards the length: 100001 * 0.05 = 5000.05.
anthropic claude-haiku-5-5 standard 100001 100001 0 0 0 = 5000
# Written for an hour in a long call: 100001 * 1.
anthropic claude-haiku-5-5 standard 100001 0 100001 100001 0 = 100001
# 272000 * 2 + 10 * 10; above, 272001 * 4 + 10 * 15.
openai gpt-6.1-sol standard 272000 0 0 0 10 = 544100
openai gpt-6.1-sol standard 272001 0 0 0 10 = 1088154
# Above, in a batch, all cached: 300000 * 0.2 / 2.
openai gpt-6.1-sol batch 300000 300000 0 0 0 = 30000
# No price for cached input: it costs as any other. 1000 * 15.
openai gpt-5-pro standard 1000 900 0 0 0 = 15000
# 200000 * 1.25; above, 200001 * 2.5 = 500002.5.
google gemini-2.5-pro standard 200000 0 0 0 0 = 250000
google gemini-2.5-pro standard 200001 0 0 0 0 = 500003
# No discount twice: in a batch 100 plain * 0.625 + 900 cached * 0.125 = 62.5 + 112.5.
google gemini-2.5-pro batch 1000 900 0 0 0 = 175
# 1000 * 0.075 + 100 * 0.3; half of it cached: 500 * 0.075 + 500 * 0.0375 + 30 = 86.25.
groq openai/gpt-oss-20b standard 1000 0 0 0 100 = 105
groq openai/gpt-oss-20b standard 1000 500 0 0 100 = 86
ollama qwen3:8b standard 1000000 0 0 0 1000000 = 0
# Here every tier and tool is free.
ollama qwen3:8b priority+code_execution=? 1000000 0 0 0 1000000 = 0
# Flex of OpenAI's is what a batch costs: (1000 * 2 + 100 * 10) / 2, and all cached above the long price as in a batch.
openai gpt-6.1-sol flex 1000 0 0 0 100 = 1500
openai gpt-6.1-sol flex 300000 300000 0 0 0 = 30000
# Flex of Groq's is what a call on demand costs.
groq openai/gpt-oss-20b flex 1000 500 0 0 100 = 86
# 10000 for the tokens, three searches at 10000 each; pages are fetched for nothing, and what was not used costs nothing.
anthropic claude-opus-4-8 web_search=3 1000 0 0 0 200 = 40000
anthropic claude-opus-4-8 web_fetch=?+web_search=0+code_execution=0 1000 0 0 0 200 = 10000
# A tenth more, on the tokens alone; and with a batch of it: 1675 * 1.1 + 10000; 10000 * 1.1 / 2.
anthropic claude-opus-4-8 inference_geo:us+web_search=1 1000 800 100 40 0 = 11843
anthropic claude-opus-4-8 batch+inference_geo:us 1000 0 0 0 200 = 5500
# Cached input of a batch has its price: no discount twice there either.
google gemini-2.5-pro batch 900 900 0 0 0 = 113
";

#[test]
fn sums_are_as_by_hand() {
    let lines = SUMS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let (call, micro) = line.split_once(" = ").unwrap();
        let words: Vec<&str> = call.split(' ').collect();
        let mode = match words[2] {
            "standard" => Mode::STANDARD,
            other => mode(&other.replace('+', " ")),
        };
        let n: Vec<u64> = words[3..]
            .iter()
            .map(|word| word.parse().unwrap())
            .collect();
        let used = tokens(n[0], n[1], n[2], n[3], n[4]);
        let want = micro.parse().unwrap();
        assert_eq!(cost(words[0], words[1], &used, &mode), Some(want), "{line}");
    }
}

#[test]
fn reasoning_is_output_and_is_paid_once() {
    let mut used = tokens(0, 0, 0, 0, 1_000);
    used.reasoning = 900;
    assert_eq!(
        cost("openai", "gpt-6-astra", &used, &Mode::STANDARD),
        Some(50_000)
    );
}

#[test]
fn more_cached_than_sent_never_makes_a_call_cheaper() {
    // As a provider reports it that counts cached input beside the rest: 100 * 0.5 + 10 * 6.25 = 112.5.
    let used = tokens(50, 100, 10, 20, 0);
    // More written for an hour than written at all: at most those 10, at 10 dollars.
    assert_eq!(
        cost("anthropic", "claude-opus-4-8", &used, &Mode::STANDARD),
        Some(150)
    );
}

#[test]
fn what_is_not_known_has_no_cost() {
    let used = tokens(1_000, 0, 0, 0, 10);
    for (provider, model, mode) in [
        ("anthropic", "claude-opus-9", &Mode::STANDARD),
        ("anthropic", "claude-opus-4-8-fast", &Mode::STANDARD),
        ("anthropic", "CLAUDE-OPUS-4-8", &Mode::STANDARD),
        ("anthropic", "claude-opus", &Mode::STANDARD),
        ("openai", "claude-opus-4-8", &Mode::STANDARD),
        ("somebody", "gpt-5.4", &Mode::STANDARD),
        // Batches of Groq are not in the table.
        ("groq", "openai/gpt-oss-20b", &Mode::tier("batch")),
        // These do not run on the user's own machine.
        ("ollama", "gpt-oss:120b-cloud", &Mode::STANDARD),
        ("ollama", "glm-5:cloud", &Mode::STANDARD),
        ("", "", &Mode::STANDARD),
        ("openai", "gpt-6.1-sol", &Mode::tier("priority")),
        ("openai", "gpt-6.1-sol", &Mode::tier("Flex")),
        ("groq", "openai/gpt-oss-20b", &Mode::tier("performance")),
        ("anthropic", "claude-opus-4-8", &Mode::tier("priority")),
        ("anthropic", "claude-opus-4-8", &mode("flex batch")),
        ("anthropic", "claude-opus-4-8", &mode("code_execution=?")),
        ("anthropic", "claude-opus-4-8", &mode("code_execution=1")),
        ("anthropic", "claude-opus-4-8", &mode("web_search=?")),
        (
            "anthropic",
            "claude-opus-4-8",
            &mode("priority web_search=1"),
        ),
        ("openai", "gpt-6.1-sol", &mode("web_search=1")),
        (
            "anthropic",
            "claude-opus-4-8",
            &mode("web_search=18446744073709551615"),
        ),
    ] {
        assert_eq!(
            cost(provider, model, &used, mode),
            None,
            "{provider} {model} {mode}"
        );
    }
    let beyond = tokens(u64::MAX, 0, 0, 0, u64::MAX);
    assert_eq!(cost("openai", "gpt-5-pro", &beyond, &Mode::STANDARD), None);
}

#[test]
fn the_same_model_under_several_names() {
    let table = table();
    for (provider, name, model) in [
        ("anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("anthropic", "claude-sonnet-5-5[1m]", "claude-sonnet-5-5"),
        (
            "anthropic",
            "claude-haiku-4-5-20251001[1m]",
            "claude-haiku-4-5",
        ),
        ("openai", "gpt-5.6", "gpt-5.6-sol"),
        ("openai", "gpt-5.4-2026-03-05", "gpt-5.4"),
        // A dated name with a price of its own keeps it.
        ("openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("google", "models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("gemini", "gemini-2.5-pro", "gemini-2.5-pro"),
    ] {
        let price = table.price(provider, name, now());
        assert_eq!(
            price.map(|price| price.model.as_str()),
            Some(model),
            "{name}"
        );
    }
}

#[test]
fn the_day_decides_which_price_holds() {
    let table = table();
    let cached = |at| {
        table
            .price("anthropic", "claude-sonnet-5-5", at)
            .unwrap()
            .rates
            .cached
    };
    assert_eq!(cached(on(2026, 10, 7) - 1), Some(200_000));
    assert_eq!(cached(on(2026, 10, 7)), Some(100_000));
    let flash = |at| {
        table
            .price("google", "gemini-3.8-flash", at)
            .unwrap()
            .rates
            .output
    };
    assert_eq!(flash(on(2027, 1, 1) - 1), 3_750_000);
    assert_eq!(flash(on(2027, 1, 1)), 7_500_000);
}

#[test]
fn every_price_of_the_table_is_plausible() {
    let table = table();
    assert!(table.prices().count() >= 60);
    for price in table.prices() {
        let name = format!("{} {}", price.provider, price.model);
        for rates in [
            Some(&price.rates),
            price.long.as_ref().map(|(_, rates)| rates),
        ]
        .into_iter()
        .flatten()
        {
            assert!(rates.input > 0 && rates.output > rates.input, "{name}");
            assert!(
                rates.cached.is_none_or(|cached| cached < rates.input),
                "{name}"
            );
            assert!(
                rates.cache_write.is_none_or(|write| write > rates.input),
                "{name}"
            );
            assert!(
                rates.cache_write_1h >= rates.cache_write || rates.cache_write_1h.is_none(),
                "{name}"
            );
        }
        if let Some((_, long)) = &price.long {
            assert!(
                long.input > price.rates.input && long.output > price.rates.output,
                "{name}"
            );
        }
        assert!(price.source.starts_with("https://"), "{name}");
        assert_eq!(price.version, "2026-11-21");
    }
}

#[test]
fn what_has_no_price_is_named() {
    let table = table();
    let of = |model: &str, text: &str| {
        let unpriced = table.unpriced("anthropic", model, now(), &mode(text));
        unpriced.map(|unpriced| unpriced.to_string())
    };
    let opus = |text: &str| of("claude-opus-4-8", text).unwrap();
    assert_eq!(opus("fast"), "the price of service tier fast isn't known");
    assert_eq!(
        opus("code_execution=?"),
        "the price of the provider's tool code_execution isn't known"
    );
    assert_eq!(
        opus("web_search=?"),
        "how often the tool web_search is used isn't known"
    );
    assert_eq!(of("claude-opus-4-8", "web_search=8 batch"), None);
    // A model without a price has none by any mode.
    assert_eq!(of("claude-opus-9", "fast"), None);
}

#[test]
fn a_file_gives_tiers_and_tools_their_prices() {
    let own = r#"
version = "mine"
[provider.anthropic]
tiers = { fast = 6 }
tools = { code_execution = 0.05 }
[[price]]
provider = "anthropic"
model = "claude-opus-4-8"
input = 10
output = 20
tiers = { fast = 2.5, "inference_geo:us" = 1.001 }
source = "contract"
"#;
    let table = table().with(own).unwrap();
    let used = tokens(1_000, 0, 0, 0, 0);
    let cost = |model: &str, text: &str| {
        let priced = table.cost("anthropic", model, now(), &used, &mode(text));
        priced.map(|priced| priced.cost.0)
    };
    // A model's own say goes before its provider's; what the file is silent about stays as it was.
    assert_eq!(cost("claude-opus-4-8", "fast"), Some(25_000));
    assert_eq!(cost("claude-haiku-4-5", "fast"), Some(6_000));
    assert_eq!(
        cost(
            "claude-haiku-4-5",
            "code_execution=2 inference_geo:us web_search=1"
        ),
        Some(111_100)
    );
    assert_eq!(cost("claude-opus-4-8", "batch"), None);
    // 2.5 times 1.001 is 2.5025 times, which nobody asks for.
    assert_eq!(cost("claude-opus-4-8", "fast inference_geo:us"), None);
}

const OWN: &str = r#"
version = "mine"
[[price]]
provider = "anthropic"
model = "claude-sonnet-5-5"
input = 1.5
output = 7.25
source = "contract"
[[price]]
provider = "openai"
model = "gpt-6-luna"
from = 2027-03-01
input = 1
output = 2
source = "contract"
[[price]]
provider = "openrouter"
model = "x/y"
aliases = ["y"]
input = 0
output = 0.0375
source = "contract"
[provider.anythingllm]
local = true
"#;

#[test]
fn a_file_over_the_table_counts_from_its_day_on() {
    let table = table().with(OWN).unwrap();
    assert_eq!(table.version(), "mine");
    // Without a day it takes the place of all days, later ones included.
    let input = |at| {
        table
            .price("anthropic", "claude-sonnet-5-5", at)
            .map(|price| price.rates.input)
    };
    assert_eq!(input(on(2026, 10, 1)), Some(1_500_000));
    assert_eq!(input(on(2026, 12, 1)), Some(1_500_000));
    // With a day, the days before stay as they were, and say by which version.
    let luna = |at| {
        table.cost(
            "openai",
            "gpt-6-luna",
            at,
            &tokens(1_000_000, 0, 0, 0, 0),
            &Mode::STANDARD,
        )
    };
    let before = luna(on(2027, 3, 1) - 1).unwrap();
    assert_eq!(
        (before.cost.0, before.version.as_str()),
        (200_000, "2026-11-21")
    );
    let after = luna(on(2027, 3, 1)).unwrap();
    assert_eq!((after.cost.0, after.version.as_str()), (1_000_000, "mine"));
    let y = table.cost(
        "openrouter",
        "y",
        0,
        &tokens(7, 0, 0, 0, 80),
        &Mode::STANDARD,
    );
    assert_eq!(y.map(|priced| priced.cost.0), Some(3));
    assert!(table.is_local("anythingllm", "whatever"));
    assert!(!table.is_local("openrouter", "x/y"));
}

#[test]
fn a_wrong_file_is_refused_with_its_line() {
    let with = |lines: &str| {
        format!(
            "version = \"1\"\n[[price]]\nprovider = \"p\"\nmodel = \"m\"\nsource = \"s\"\n{lines}"
        )
    };
    let whole = "input = 1\noutput = 2\n";
    for (text, line, says) in [
        ("price = []".to_owned(), 1, "version"),
        ("version = \"\"".to_owned(), 1, "must not be empty"),
        (
            "version = \"1\"\n\n[[prices]]".to_owned(),
            3,
            "unknown field",
        ),
        (with("input = 1"), 2, "output"),
        (
            with("input = -1\noutput = 2"),
            6,
            "dollars for a million tokens",
        ),
        (with("input = 1\noutput = 0.0000001"), 7, "six decimals"),
        (
            with("input = 1\noutput = nan"),
            7,
            "dollars for a million tokens",
        ),
        (with("input = \"1\"\noutput = 2"), 6, "string"),
        (with("input = 1\noutput = 2\nbatch = 50"), 8, "from 0 to 1"),
        (
            with("input = 1\noutput = 2\nfrom = 2026-10-07T00:00:00Z"),
            8,
            "must be a day",
        ),
        (
            with("input = 1\noutput = 2\nfrom = \"2026-10-07\""),
            8,
            "date",
        ),
        (
            with("input = 1\noutput = 2\nlong = { above = 5, input = 1 }"),
            8,
            "output",
        ),
        (
            with("input = 1\noutput = 2\ncashed = 1"),
            8,
            "unknown field",
        ),
        (
            with(&format!(
                "{whole}[[price]]\nprovider = \"p\"\nmodel = \"m\"\nsource = \"s\"\n{whole}"
            )),
            10,
            "already",
        ),
        (
            with(&format!(
                "{whole}[[price]]\nprovider = \"p\"\nmodel = \"n\"\naliases = [\"m\"]\nsource = \"s\"\n{whole}"
            )),
            11,
            "means m already",
        ),
        (
            format!("version = \"1\"\n[[price]]\nprovider = \"p\"\nmodel = \"m\"\n{whole}"),
            4,
            "source",
        ),
        ("version = \"1\"\n[[price]\n".to_owned(), 2, ""),
        (
            with(&format!("{whole}tiers = {{ flex = \"half\" }}")),
            8,
            "or \"batch\"",
        ),
        (
            with(&format!("{whole}tiers = {{ flex = -1 }}")),
            8,
            "from 0 to 1000",
        ),
        (
            with(&format!("{whole}tiers = {{ flex = 1.0001 }}")),
            8,
            "three decimals",
        ),
        (
            "version = \"1\"\n[provider.p.tools]\nsearch = 0.0000001".to_owned(),
            3,
            "for one use",
        ),
    ] {
        let error = PriceTable::empty().with(&text).unwrap_err();
        assert_eq!(error.line, line, "{error} for\n{text}");
        assert!(error.message.contains(says), "{error} for\n{text}");
    }
}
