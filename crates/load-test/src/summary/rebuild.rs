//! Rebuilds beside what reading and writing cost by themselves.

use super::Report;
use crate::rebuild::Rebuild;
use crate::results::median;

impl Report<'_> {
    pub(super) fn rebuild(&mut self) {
        let rebuilds = &self.results.rebuilds;
        let Some(first) = rebuilds.first() else {
            return;
        };
        let of = |value: &dyn Fn(&Rebuild) -> f64| {
            median(rebuilds.iter().map(value).collect()).unwrap_or_default()
        };
        let most = |value: &dyn Fn(&Rebuild) -> f64| rebuilds.iter().map(value).fold(0.0, f64::max);
        let share = of(&|one| one.building_rate() / one.ceiling() * 100.0);
        let (building, whole) = (of(&Rebuild::building_rate), of(&Rebuild::whole_rate));
        let (reading, writing) = (
            of(&|one| one.reading.per_second),
            of(&|one| one.writing.per_second),
        );
        let (events, circles) = (first.events, first.circles);
        self.line(
            format!("rebuild of {events} events over {circles} circles, against reading or writing alone"),
            "at least 50 % of the slower",
            format!("{share:.0} %: {building:.0} events/s; reading {reading:.0}/s, writing {writing:.0}/s"),
            share >= 50.0,
        );
        let peak = most(&|one| one.peak);
        self.line(
            "memory of the projector meanwhile",
            "under 512 MiB",
            format!("at most {peak:.0} MiB"),
            peak < 512.0,
        );
        let (mut good, mut all) = (0, 0);
        for (with_rate, messages) in rebuilds.iter().map(|one| one.course.messages_with_rate()) {
            good += with_rate;
            all += messages;
        }
        self.line(
            "progress with rate and time left",
            "every message",
            format!("{good} of {all}"),
            good == all && all > 0,
        );
        let times = of(&|one| one.meanwhile.latency.p99 / one.quiet.record.latency.p99);
        let p99 = of(&|one| one.meanwhile.latency.p99);
        let quiet = of(&|one| one.quiet.record.latency.p99);
        self.line(
            "GetCircle during a rebuild, p99",
            "at most twice that before",
            format!("{times:.1} times: {p99:.2} ms against {quiet:.2} ms"),
            times <= 2.0,
        );
        let wrong: i64 = rebuilds
            .iter()
            .map(|one| one.course.divergent + one.course.stray)
            .sum();
        self.line(
            "what a rebuild found shown wrongly",
            "nothing",
            wrong.to_string(),
            wrong == 0,
        );
        self.note(
            "rebuild from the call to its end, with comparing and switching",
            format!("{whole:.0} events/s"),
        );
    }
}
