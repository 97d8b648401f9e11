use super::scene::{Scene, Shape};
use super::*;
use callboard_telemetry::MicroDollars;
use callboard_telemetry::query::{CostRow, Totals};

fn row(key: &[Option<&str>], cost: i64, calls: u64, unknown: u64) -> CostRow {
    CostRow {
        key: key.iter().map(|part| part.map(str::to_owned)).collect(),
        totals: Totals {
            calls,
            ok: calls,
            unknown_cost: unknown,
            cost: MicroDollars(cost),
            ..Totals::default()
        },
    }
}

fn chart(rows: Vec<CostRow>, by: &[By]) -> Chart {
    let costs = Costs {
        rows,
        total: Totals::default(),
        left_out: 0,
    };
    Chart::of(&costs, by, "Costs".to_owned(), "about".to_owned())
}

fn scene(chart: &Chart) -> Scene {
    layout::lay_out(chart, &Font::own().unwrap())
}

fn texts(scene: &Scene) -> Vec<String> {
    let shapes = scene.shapes.iter();
    shapes
        .filter_map(|shape| match shape {
            Shape::Text { text, .. } => Some(text.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn days_without_calls_have_a_place() {
    let rows = vec![
        row(&[Some("2026-10-30")], 1_000_000, 1, 0),
        row(&[Some("2026-11-02")], 3_000_000, 2, 1),
    ];
    let chart = chart(rows, &[By::Day]);
    let labels: Vec<&str> = chart.bars.iter().map(|bar| bar.label.as_str()).collect();
    assert_eq!(
        labels,
        ["2026-10-30", "2026-10-31", "2026-11-01", "2026-11-02"]
    );
    let texts = texts(&scene(&chart));
    for text in ["30 Oct", "2 Nov", "$1.00", "$3.00 +1?", "$0", "$3"] {
        assert!(texts.iter().any(|found| found == text), "{text}: {texts:?}");
    }
}

#[test]
fn a_gap_wider_than_the_chart_leaves_out_what_lies_before() {
    let rows = vec![
        row(&[Some("2025-01-01")], 1, 1, 0),
        row(&[Some("2025-01-02")], 1, 1, 0),
        row(&[Some("2026-11-02")], 1, 1, 0),
    ];
    let chart = chart(rows, &[By::Day]);
    assert_eq!((chart.bars.len(), chart.left_out), (1, 2));
    let hours = vec![
        row(&[Some("2026-11-20T22")], 1, 1, 0),
        row(&[Some("2026-11-21T01")], 1, 1, 0),
    ];
    let chart = self::chart(hours, &[By::Hour]);
    assert_eq!(chart.bars.len(), 4);
    assert_eq!(chart.bars[2].label, "2026-11-21T00");
}

#[test]
fn what_is_not_known_is_marked_and_has_no_height() {
    let chart = chart(
        vec![
            row(&[Some("strange")], 0, 4, 4),
            row(&[None], 500_000, 1, 0),
        ],
        &[By::Model],
    );
    let scene = scene(&chart);
    let hatched = scene
        .shapes
        .iter()
        .filter(|shape| matches!(shape, Shape::Hatched(..)));
    // One beside the bar, one in the legend.
    assert_eq!(hatched.count(), 2);
    let filled = scene
        .shapes
        .iter()
        .filter(|shape| matches!(shape, Shape::Filled(..)));
    assert_eq!(filled.count(), 1, "only the known cost has a bar");
    let texts = texts(&scene);
    for text in ["4?", "$0.500", "strange", "(none)"] {
        assert!(texts.iter().any(|found| found == text), "{text}: {texts:?}");
    }
}

#[test]
fn what_costs_nothing_is_told_apart_from_what_nobody_knows() {
    let day = Some("2026-11-01");
    let rows = || {
        vec![
            row(&[day, Some("dear")], 1_000_000, 1, 0),
            row(&[day, Some("free")], 0, 2, 0),
            row(&[day, Some("strange")], 0, 4, 4),
        ]
    };
    let legend = texts(&scene(&chart(rows(), &[By::Day, By::Model])));
    for text in ["dear", "free ($0.00)", "strange (nothing known)"] {
        assert!(
            legend.iter().any(|found| found == text),
            "{text}: {legend:?}"
        );
    }
    let by_name = rows().into_iter().map(|mut row| {
        row.key.remove(0);
        row
    });
    let lying = texts(&scene(&chart(by_name.collect(), &[By::Model])));
    for text in ["$1.00", "$0.00", "4?"] {
        assert!(lying.iter().any(|found| found == text), "{text}: {lying:?}");
    }
}

#[test]
fn bars_are_as_long_as_they_are_dear_and_stack_up() {
    let rows = vec![
        row(&[Some("2026-11-01"), Some("a")], 1_000_000, 1, 0),
        row(&[Some("2026-11-01"), Some("b")], 2_000_000, 1, 0),
        row(&[Some("2026-11-02"), Some("b")], 6_000_000, 1, 0),
    ];
    let chart = chart(rows, &[By::Day, By::Model]);
    assert_eq!(chart.series, ["b", "a"], "the dearest first");
    let areas: Vec<_> = scene(&chart)
        .shapes
        .into_iter()
        .filter_map(|shape| match shape {
            Shape::Filled(area, _) if area.height > 12.5 => Some(area),
            _ => None,
        })
        .collect();
    assert_eq!(areas.len(), 3);
    assert!((areas[0].height - 2.0 * areas[1].height).abs() < 0.1);
    assert!((areas[2].height - 2.0 * (areas[0].height + areas[1].height)).abs() < 1.2);
    assert!(
        (areas[1].y + areas[1].height - areas[0].y).abs() < 0.01,
        "one on the other"
    );
}

#[test]
fn many_series_and_names_are_drawn_together() {
    let names: Vec<String> = (0..30).map(|n| format!("model-{n:02}")).collect();
    let rows = names.iter().enumerate().map(|(n, name)| {
        row(
            &[Some("2026-11-01"), Some(name)],
            1_000_000 - n as i64,
            1,
            0,
        )
    });
    let stacked = chart(rows.collect(), &[By::Day, By::Model]);
    assert_eq!(stacked.series.len(), MOST_SERIES);
    assert_eq!(stacked.series[MOST_SERIES - 1], "24 others");
    let all: f64 = stacked.bars[0].parts.iter().sum();
    assert!((all - 29.999_565).abs() < 1e-6, "{all}");
    let rows = names.iter().map(|name| row(&[Some(name)], 1, 1, 0));
    let lying = chart(rows.collect(), &[By::Model]);
    assert_eq!((lying.bars.len(), lying.left_out), (20, 10));
    let texts = texts(&scene(&lying));
    assert!(
        texts.iter().any(|text| text.contains("10 more are not")),
        "{texts:?}"
    );
}

#[test]
fn files_are_what_they_say() {
    for (rows, by) in [
        (Vec::new(), By::Day),
        (vec![row(&[Some("<a> & \"b\"\u{7}")], 12, 1, 0)], By::Model),
    ] {
        let chart = chart(rows, &[by]);
        let png = chart.png().unwrap();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        let svg = chart.svg().unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("<a>") && !svg.contains('\u{7}'), "{svg}");
    }
}
