//! The admin service.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use circles_proto::circles::admin::v1 as proto;
use circles_proto::circles::admin::v1::projector_admin_service_server::ProjectorAdminService;
use event_store::EventStore;
use read_model::{Partition, RepairMode};
use service_kit::health::Readiness;
use service_kit::status::FieldViolation;
use shared_domain::CircleId;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::audit::{Audit, Findings};
use crate::failure::{self, DOMAIN};
use crate::order::Orders;
use crate::progress::{Latest, State};
use crate::project::StepError;
use crate::rebuild::{RebuildPhase, Rebuilds, Report};
use crate::spare::Difference;

/// How often a stream tells how far it is.
const TELL: Duration = Duration::from_secs(1);

/// How many ids an answer names.
const NAMED: usize = 100;

const MAX_IDS: usize = 1_000;
const MAX_PAGE: i32 = 1_000;
const DEFAULT_PAGE: usize = 100;

/// What the admin service works with, once both servers were reached.
pub(crate) struct Opened {
    pub(crate) log: EventStore,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) orders: Orders,
    pub(crate) rebuilds: Rebuilds,
}

/// Answers operators.
pub(crate) struct AdminService {
    pub(crate) progress: Latest,
    pub(crate) opened: Arc<OnceLock<Opened>>,
    pub(crate) readiness: Readiness,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl AdminService {
    fn opened(&self) -> Result<&Opened, Status> {
        self.opened.get().ok_or_else(failure::starting)
    }
}

#[tonic::async_trait]
impl ProjectorAdminService for AdminService {
    async fn get_status(
        &self,
        _: Request<proto::GetStatusRequest>,
    ) -> Result<Response<proto::GetStatusResponse>, Status> {
        let Opened { log, rebuilds, .. } = self.opened()?;
        let head = log.head().await.map_err(|error| failure::log(&error))?;
        let progress = self.progress.borrow().clone();
        let checkpoint = progress.checkpoint;
        let rebuild = rebuilds
            .running()
            .map(|report| self::progress(&report.borrow()));
        Ok(Response::new(proto::GetStatusResponse {
            state: proto::ProjectorState::from(progress.state).into(),
            checkpoint_sequence: signed(checkpoint.get()),
            head_sequence: signed(head.get()),
            lag_events: match progress.state {
                // Its own checkpoint says nothing.
                State::Standby | State::Starting => 0,
                _ => signed(head.get().saturating_sub(checkpoint.get())),
            },
            applied_events: signed(progress.applied),
            problem: progress.problem,
            parked_circles: signed(progress.parked),
            divergent_circles: signed(progress.counts.divergent),
            repaired_circles: signed(progress.counts.repaired),
            log_rewinds: signed(progress.counts.rewinds),
            builds: signed(progress.counts.builds),
            audited_circles: signed(progress.audited),
            rebuild,
        }))
    }

    type RebuildStream = Answers<proto::RebuildResponse>;

    async fn rebuild(
        &self,
        request: Request<proto::RebuildRequest>,
    ) -> Result<Response<Self::RebuildStream>, Status> {
        let opened = self.opened()?;
        if self.progress.borrow().state == State::Standby {
            return Err(failure::order(&crate::order::OrderError::NotLeader));
        }
        let mut report = opened.rebuilds.start(request.get_ref().dry_run);
        let readiness = self.readiness.clone();
        let (tell, told) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                // Every change of the phase, and otherwise once a second.
                let phase = report.borrow().phase;
                let turned = report.wait_for(|report| report.phase != phase || report.is_final());
                tokio::select! {
                    _ = turned => {}
                    () = tokio::time::sleep(TELL) => {}
                    () = readiness.draining() => return,
                    () = tell.closed() => return,
                }
                let (answer, is_final) = {
                    let report = report.borrow();
                    let answer = match &report.failure {
                        Some(error) => Err(failure::rebuild(error)),
                        None => Ok(proto::RebuildResponse {
                            progress: Some(progress(&report)),
                            difference: report.difference.as_ref().map(difference),
                        }),
                    };
                    (answer, report.is_final())
                };
                if tell.send(answer).await.is_err() || is_final {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(told))))
    }

    async fn rebuild_circle(
        &self,
        request: Request<proto::RebuildCircleRequest>,
    ) -> Result<Response<proto::RebuildCircleResponse>, Status> {
        let Opened {
            orders, partitions, ..
        } = self.opened()?;
        let id = circle_id("circle_id", &request.get_ref().circle_id)?;
        let ids = BTreeSet::from([id]);
        let compared = orders
            .compare(ids, RepairMode::Repair)
            .await
            .map_err(|error| failure::order(&error))?;
        let version = compared.versions.get(&id);
        let changed = !compared.divergent.is_empty();
        if version.is_none() && !changed {
            return Err(failure::not_found());
        }
        let mut parked = false;
        for partition in partitions {
            let all = partition.parked().await;
            parked |= all.map_err(|error| failed(error.into()))?.contains_key(&id);
        }
        Ok(Response::new(proto::RebuildCircleResponse {
            changed,
            version: version.map_or(0, |version| version.get()),
            parked,
        }))
    }

    async fn list_parked(
        &self,
        request: Request<proto::ListParkedRequest>,
    ) -> Result<Response<proto::ListParkedResponse>, Status> {
        let partitions = &self.opened()?.partitions;
        let proto::ListParkedRequest {
            page_size,
            page_token,
        } = request.into_inner();
        let size = match page_size {
            0 => DEFAULT_PAGE,
            1..=MAX_PAGE => page_size.unsigned_abs() as usize,
            _ => {
                let rule = format!("0 to {MAX_PAGE}, not {page_size}");
                return Err(invalid("page_size", rule));
            }
        };
        let after = match page_token.as_str() {
            "" => None,
            token => Some(circle_id("page_token", token)?),
        };
        let mut circles = Vec::new();
        for partition in partitions {
            let parked = partition
                .parked()
                .await
                .map_err(|error| failed(error.into()))?;
            circles.extend(
                parked
                    .into_iter()
                    .filter(|(id, _)| after.is_none_or(|after| *id > after)),
            );
        }
        circles.sort_by_key(|(id, _)| *id);
        let more = circles.len() > size;
        circles.truncate(size);
        let last = circles.last().filter(|_| more);
        Ok(Response::new(proto::ListParkedResponse {
            next_page_token: last.map(|(id, _)| id.to_string()).unwrap_or_default(),
            circles: circles
                .into_iter()
                .map(|(id, event)| proto::ParkedCircle {
                    circle_id: id.to_string(),
                    sequence: signed(event.sequence.get()),
                    version: event.version.get(),
                    reason: event.reason,
                })
                .collect(),
        }))
    }

    async fn retry_parked(
        &self,
        request: Request<proto::RetryParkedRequest>,
    ) -> Result<Response<proto::RetryParkedResponse>, Status> {
        let id = match request.get_ref().circle_id.as_str() {
            "" => None,
            id => Some(circle_id("circle_id", id)?),
        };
        let retried = self.opened()?.orders.retry(id).await;
        let retried = retried.map_err(|error| failure::order(&error))?;
        Ok(Response::new(proto::RetryParkedResponse {
            resumed: signed(retried.resumed),
            still_parked: signed(retried.still_parked),
        }))
    }

    type AuditStream = Answers<proto::AuditResponse>;

    async fn audit(
        &self,
        request: Request<proto::AuditRequest>,
    ) -> Result<Response<Self::AuditStream>, Status> {
        let opened = self.opened()?;
        let proto::AuditRequest { repair, circle_ids } = request.into_inner();
        let circles = circle_ids_of(&circle_ids)?;
        let mode = match repair {
            true => RepairMode::Repair,
            false => RepairMode::Compare,
        };
        let audit = Audit::new(
            opened.log.clone(),
            opened.partitions.clone(),
            opened.orders.clone(),
            mode,
            circles,
        );
        let (tell, told) = mpsc::channel(1);
        tokio::spawn(run_audit(audit, mode, self.readiness.clone(), tell));
        Ok(Response::new(Box::pin(ReceiverStream::new(told))))
    }

    async fn skip_hole(
        &self,
        request: Request<proto::SkipHoleRequest>,
    ) -> Result<Response<proto::SkipHoleResponse>, Status> {
        let orders = &self.opened()?.orders;
        let proto::SkipHoleRequest {
            after_sequence,
            next_sequence,
        } = request.into_inner();
        let halted = self.progress.borrow().hole;
        match halted {
            Some((after, next))
                if signed(after.get()) == after_sequence && signed(next.get()) == next_sequence =>
            {
                let skipped = orders.skip_hole(after, next).await;
                skipped.map_err(|error| failure::order(&error))?;
                Ok(Response::new(proto::SkipHoleResponse {}))
            }
            _ => Err(failure::no_such_hole()),
        }
    }
}

/// Audits to the end, unless the client leaves or the projector stops.
async fn run_audit(
    mut audit: Audit,
    mode: RepairMode,
    readiness: Readiness,
    tell: mpsc::Sender<Result<proto::AuditResponse, Status>>,
) {
    let mut findings = Findings::default();
    let mut told = tokio::time::Instant::now();
    loop {
        let part = tokio::select! {
            part = audit.next() => part,
            () = readiness.draining() => return,
            () = tell.closed() => return,
        };
        let (answer, done) = match part {
            Err(error) => (Err(failure::order(&error)), true),
            Ok(None) => (Ok(audited(&findings, mode, true)), true),
            Ok(Some(part)) => {
                findings.add(part);
                if told.elapsed() < TELL {
                    continue;
                }
                (Ok(audited(&findings, mode, false)), false)
            }
        };
        told = tokio::time::Instant::now();
        if tell.send(answer).await.is_err() || done {
            return;
        }
    }
}

fn audited(findings: &Findings, mode: RepairMode, done: bool) -> proto::AuditResponse {
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

fn progress(report: &Report) -> proto::RebuildProgress {
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

fn difference(found: &Difference) -> proto::Difference {
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

fn circle_id(field: &str, text: &str) -> Result<CircleId, Status> {
    CircleId::parse(text).map_err(|rule| invalid(field, rule.to_string()))
}

fn circle_ids_of(texts: &[String]) -> Result<Vec<CircleId>, Status> {
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

fn invalid(field: &str, rule: impl Into<String>) -> Status {
    DOMAIN.invalid_fields(vec![FieldViolation::new(field, rule)])
}

fn failed(error: StepError) -> Status {
    failure::step(&error)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
