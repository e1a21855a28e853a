//! Requests into what they ask for, and what came out into answers.

use circles_proto::circles::admin::v1 as proto;
use read_model::RepairMode;
use service_kit::status::FieldViolation;
use shared_domain::CircleId;
use tonic::Status;

use crate::audit::Findings;
use crate::failure::DOMAIN;
use crate::rebuild::{RebuildPhase, Report};
use crate::spare::Difference;

/// How many ids an answer names.
const NAMED: usize = 100;

const MAX_IDS: usize = 1_000;
const MAX_PAGE: i32 = 1_000;
const DEFAULT_PAGE: usize = 100;

/// Which of the parked circles are listed.
pub(super) struct ParkedPage {
    /// How many at most.
    pub(super) size: usize,
    /// Those behind this one, by id.
    pub(super) after: Option<CircleId>,
}

/// Of a token that is the last id of the page before.
pub(super) fn parked_page(request: &proto::ListParkedRequest) -> Result<ParkedPage, Status> {
    let size = match request.page_size {
        0 => DEFAULT_PAGE,
        size @ 1..=MAX_PAGE => size.unsigned_abs() as usize,
        size => {
            let rule = format!("0 to {MAX_PAGE}, not {size}");
            return Err(invalid("page_size", rule));
        }
    };
    let after = optional_id("page_token", &request.page_token)?;
    Ok(ParkedPage { size, after })
}

pub(super) fn circle(request: &proto::RebuildCircleRequest) -> Result<CircleId, Status> {
    circle_id("circle_id", &request.circle_id)
}

/// None stands for all.
pub(super) fn parked_circle(
    request: &proto::RetryParkedRequest,
) -> Result<Option<CircleId>, Status> {
    optional_id("circle_id", &request.circle_id)
}

/// None stand for all.
pub(super) fn audited_circles(request: &proto::AuditRequest) -> Result<Vec<CircleId>, Status> {
    let texts = &request.circle_ids;
    if texts.len() > MAX_IDS {
        let rule = format!("up to {MAX_IDS} ids, not {}", texts.len());
        return Err(invalid("circle_ids", rule));
    }
    let mut ids = Vec::with_capacity(texts.len());
    let mut violations = Vec::new();
    for (n, text) in texts.iter().enumerate() {
        match CircleId::parse(text) {
            Ok(id) => ids.push(id),
            Err(rule) => {
                let field = format!("circle_ids[{n}]");
                violations.push(FieldViolation::new(field, rule.to_string()));
            }
        }
    }
    match violations.is_empty() {
        true => Ok(ids),
        false => Err(DOMAIN.invalid_fields(violations)),
    }
}

pub(super) fn audited(findings: &Findings, mode: RepairMode, done: bool) -> proto::AuditResponse {
    let found = findings.divergent.len() as u64 + findings.stray;
    proto::AuditResponse {
        difference: Some(difference(&Difference {
            circles: findings.circles,
            divergent: findings.divergent.clone(),
            stray: findings.stray,
        })),
        repaired: match mode {
            RepairMode::Repair => signed(found),
            RepairMode::Compare => 0,
        },
        done,
    }
}

pub(super) fn progress(report: &Report) -> proto::RebuildProgress {
    let phase = match report.phase {
        RebuildPhase::Building => proto::RebuildPhase::Building,
        RebuildPhase::Comparing => proto::RebuildPhase::Comparing,
        RebuildPhase::Switching => proto::RebuildPhase::Switching,
        RebuildPhase::Switched => proto::RebuildPhase::Switched,
        RebuildPhase::Compared => proto::RebuildPhase::Compared,
    };
    proto::RebuildProgress {
        phase: phase.into(),
        events: signed(report.events),
        events_total: signed(report.total),
        events_per_second: report.rate,
        seconds_left: report.seconds_left(),
    }
}

pub(super) fn difference(found: &Difference) -> proto::Difference {
    proto::Difference {
        circles: signed(found.circles),
        divergent_circles: signed(found.divergent.len() as u64),
        stray_entries: signed(found.stray),
        circle_ids: found
            .divergent
            .iter()
            .take(NAMED)
            .map(ToString::to_string)
            .collect(),
    }
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn circle_id(field: &str, text: &str) -> Result<CircleId, Status> {
    CircleId::parse(text).map_err(|rule| invalid(field, rule.to_string()))
}

fn optional_id(field: &str, text: &str) -> Result<Option<CircleId>, Status> {
    (!text.is_empty())
        .then(|| circle_id(field, text))
        .transpose()
}

fn invalid(field: &str, rule: impl Into<String>) -> Status {
    DOMAIN.invalid_fields(vec![FieldViolation::new(field, rule)])
}
