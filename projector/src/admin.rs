//! The admin service.

mod convert;
#[cfg(test)]
mod input_properties;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use circles_proto::circles::admin::v1 as proto;
use circles_proto::circles::admin::v1::projector_admin_service_server::ProjectorAdminService;
use event_store::EventStore;
use read_model::{Partition, RepairMode};
use service_kit::health::Readiness;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use self::convert::{ParkedPage, audited, difference, signed};
use crate::audit::{Audit, Findings};
use crate::failure;
use crate::order::{OrderError, Orders};
use crate::progress::{Latest, State};
use crate::rebuild::Rebuilds;

/// How often a stream tells how far it is.
const TELL: Duration = Duration::from_secs(1);

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

    /// For what no order asks the leader itself.
    fn require_leader(&self) -> Result<(), Status> {
        match self.progress.borrow().state {
            State::Standby => Err(failure::order(&OrderError::NotLeader)),
            _ => Ok(()),
        }
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
            .map(|report| convert::progress(&report.borrow()));
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
        self.require_leader()?;
        let mut report = opened.rebuilds.start(request.get_ref().dry_run);
        let readiness = self.readiness.clone();
        let (tell, told) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                // Every change of the phase, and otherwise once a second.
                let phase = report.borrow().phase;
                let turned = report.wait_for(|report| report.phase != phase || report.is_final());
                let ended = tokio::select! {
                    turned = turned => turned.is_err(),
                    () = tokio::time::sleep(TELL) => false,
                    () = readiness.draining() => return,
                    () = tell.closed() => return,
                };
                if ended {
                    let _ = tell.send(Err(failure::DOMAIN.internal())).await;
                    return;
                }
                let (answer, is_final) = {
                    let report = report.borrow();
                    let answer = match &report.failure {
                        Some(error) => Err(failure::rebuild(error)),
                        None => Ok(proto::RebuildResponse {
                            progress: Some(convert::progress(&report)),
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
        let orders = &self.opened()?.orders;
        let id = convert::circle(request.get_ref())?;
        let ids = BTreeSet::from([id]);
        let compared = orders
            .compare(ids, RepairMode::Repair)
            .await
            .map_err(|error| failure::order(&error))?;
        let version = compared.versions.get(&id);
        let changed = !compared.divergent.is_empty();
        let parked = compared.parked.contains(&id);
        if version.is_none() && !changed && !parked {
            return Err(failure::not_found());
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
        let ParkedPage { size, after } = convert::parked_page(request.get_ref())?;
        let mut circles = Vec::new();
        for partition in partitions {
            let parked = partition
                .parked()
                .await
                .map_err(|error| failure::read_model(&error))?;
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
        let id = convert::parked_circle(request.get_ref())?;
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
        let circles = convert::audited_circles(request.get_ref())?;
        let mode = match request.get_ref().repair {
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
        self.require_leader()?;
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
