//! Rows of calls and costs as CSV.
//! For: quoting, and columns that stay. What is not known is an empty cell, never 0. Not for: files.

use callboard_telemetry::llm::LlmCall;
use callboard_telemetry::query::CostRow;
use callboard_telemetry::{Counted, MicroDollars};

use crate::key::Key;
use crate::period::instant;
use crate::views::known;

/// The columns of a call.
pub(crate) const CALLS: &str = "id,at,provider,model,model_answered,account,route,server,tool,agent,task,project,trace,parent,\
outcome,error,error_code,status,finish,attempt,hop,streamed,input_tokens,cached_tokens,cache_write_tokens,\
cache_write_1h_tokens,output_tokens,reasoning_tokens,counted,cost_usd,price,queue_us,first_byte_us,total_us,bytes_in,\
bytes_out,mode\n";

/// One line being written.
#[derive(Default)]
struct Line(String);

impl Line {
    fn text(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        // A spreadsheet would take such a cell for a formula.
        let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let text = if formula {
            format!("'{text}")
        } else {
            text.to_owned()
        };
        if text.contains([',', '"', '\n', '\r']) {
            self.0
                .push_str(&format!("\"{}\"", text.replace('"', "\"\"")));
        } else {
            self.0.push_str(&text);
        }
    }

    fn maybe(&mut self, text: Option<&str>) {
        self.text(text.unwrap_or_default());
    }

    fn number(&mut self, number: Option<impl ToString>) {
        self.0.push(',');
        self.0
            .push_str(&number.map_or_else(String::new, |number| number.to_string()));
    }

    fn end(self) -> String {
        self.0 + "\n"
    }
}

/// A call's line.
pub(crate) fn call(call: &LlmCall) -> String {
    let mut line = Line::default();
    line.text(&call.id);
    line.text(&instant(call.at));
    line.text(&call.provider);
    line.text(&call.model);
    let names = [
        &call.model_answered,
        &call.account,
        &call.route,
        &call.server,
        &call.tool,
        &call.agent,
        &call.task,
        &call.project,
        &call.trace,
        &call.parent,
    ];
    for name in names {
        line.maybe(name.as_deref());
    }
    line.text(call.outcome.as_str());
    line.maybe(call.error.map(|class| class.as_str()));
    line.maybe(call.error_code.as_deref());
    line.number(call.status);
    line.maybe(call.finish.as_deref());
    line.number(Some(call.attempt));
    line.number(Some(call.hop));
    line.number(Some(call.streamed));
    let tokens = call.usage.map(|usage| usage.tokens);
    line.number(tokens.map(|tokens| tokens.input));
    line.number(tokens.map(|tokens| tokens.cached));
    line.number(tokens.map(|tokens| tokens.cache_write));
    line.number(tokens.map(|tokens| tokens.cache_write_1h));
    line.number(tokens.map(|tokens| tokens.output));
    line.number(tokens.map(|tokens| tokens.reasoning));
    line.maybe(call.usage.map(|usage| match usage.counted {
        Counted::Reported => "reported",
        Counted::Estimated => "estimated",
    }));
    line.number(call.cost.map(exact));
    line.maybe(call.price.as_deref());
    for number in [
        call.queue_us,
        call.first_byte_us,
        call.total_us,
        call.bytes_in,
        call.bytes_out,
    ] {
        line.number(number);
    }
    line.text(&call.mode.to_string());
    line.end()
}

/// The columns of costs by these keys.
pub(crate) fn costs_head(by: &[Key]) -> String {
    let mut line = Line::default();
    for key in by {
        line.text(key.as_str());
    }
    line.end().trim_end().to_owned()
        + ",calls,ok,failed,cancelled_or_lost,cost_usd,unknown_cost_calls,input_tokens,cached_tokens,cache_write_tokens,\
output_tokens,reasoning_tokens,unknown_tokens_calls,estimated_tokens_calls\n"
}

/// A line of costs.
pub(crate) fn costs(row: &CostRow) -> String {
    let mut line = Line::default();
    for key in &row.key {
        line.maybe(key.as_deref());
    }
    let totals = &row.totals;
    for count in [totals.calls, totals.ok, totals.failed, totals.ended_early] {
        line.number(Some(count));
    }
    line.number(known(totals).map(exact));
    for count in [
        totals.unknown_cost,
        totals.tokens.input,
        totals.tokens.cached,
        totals.tokens.cache_write,
        totals.tokens.output,
        totals.tokens.reasoning,
        totals.unknown_tokens,
        totals.estimated,
    ] {
        line.number(Some(count));
    }
    line.end()
}

/// Dollars with six decimals: nothing is rounded.
fn exact(cost: MicroDollars) -> String {
    let micro = cost.0.unsigned_abs();
    let sign = if cost.0 < 0 { "-" } else { "" };
    format!("{sign}{}.{:06}", micro / 1_000_000, micro % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        let row = LlmCall {
            id: "c_1".to_owned(),
            provider: "=1+1".to_owned(),
            model: "a,\"b\"\nc".to_owned(),
            cost: Some(MicroDollars(1_250_001)),
            ..LlmCall::default()
        };
        let line = call(&row);
        assert!(
            line.starts_with("c_1,1970-01-01T00:00:00.000Z,'=1+1,\"a,\"\"b\"\"\nc\","),
            "{line}"
        );
        assert!(line.contains(",1.250001,"), "{line}");
        let unknown = call(&LlmCall {
            id: "c_2".to_owned(),
            ..LlmCall::default()
        });
        assert_eq!(unknown.matches(',').count(), CALLS.matches(',').count());
        assert!(unknown.ends_with(",,,,,,,,,,,,,,,\n"), "{unknown}");
    }
}
