use circles_proto::circles::admin::v1::projector_admin_service_server::{
    ProjectorAdminService, ProjectorAdminServiceServer,
};
use circles_proto::circles::admin::v1::{
    AuditRequest, AuditResponse, Difference, GetStatusRequest, GetStatusResponse,
    ListParkedRequest, ListParkedResponse, RebuildCircleRequest, RebuildCircleResponse,
    RebuildProgress, RetryParkedRequest, RetryParkedResponse, SkipHoleRequest, SkipHoleResponse,
};
use tokio::net::TcpListener;
use tokio_stream::Iter;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response};

use super::*;

/// Answers with these messages.
struct Scripted(Vec<RebuildResponse>);

type Messages<T> = Iter<std::vec::IntoIter<Result<T, Status>>>;

#[tonic::async_trait]
impl ProjectorAdminService for Scripted {
    type RebuildStream = Messages<RebuildResponse>;
    type AuditStream = Messages<AuditResponse>;

    async fn rebuild(
        &self,
        request: Request<RebuildRequest>,
    ) -> Result<Response<Self::RebuildStream>, Status> {
        assert!(!request.into_inner().dry_run);
        let messages: Vec<_> = self.0.iter().cloned().map(Ok).collect();
        Ok(Response::new(tokio_stream::iter(messages)))
    }

    async fn get_status(
        &self,
        _: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn rebuild_circle(
        &self,
        _: Request<RebuildCircleRequest>,
    ) -> Result<Response<RebuildCircleResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_parked(
        &self,
        _: Request<ListParkedRequest>,
    ) -> Result<Response<ListParkedResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn retry_parked(
        &self,
        _: Request<RetryParkedRequest>,
    ) -> Result<Response<RetryParkedResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn audit(&self, _: Request<AuditRequest>) -> Result<Response<Self::AuditStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn skip_hole(
        &self,
        _: Request<SkipHoleRequest>,
    ) -> Result<Response<SkipHoleResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

/// What a rebuild comes to when the projector says this.
async fn against(messages: Vec<RebuildResponse>) -> Result<Course, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let server = tonic::transport::Server::builder()
        .add_service(ProjectorAdminServiceServer::new(Scripted(messages)))
        .serve_with_incoming(TcpIncoming::from(listener));
    tokio::select! {
        course = rebuild(&address) => course,
        _ = server => panic!("the server has ended"),
    }
}

fn message(phase: RebuildPhase, events: i64, rate: f64, left: f64) -> RebuildResponse {
    RebuildResponse {
        progress: Some(RebuildProgress {
            phase: phase.into(),
            events,
            events_total: 100,
            events_per_second: rate,
            seconds_left: left,
        }),
        difference: None,
    }
}

#[tokio::test]
async fn a_rebuild_is_followed_to_its_end() {
    let mut last = message(RebuildPhase::Switched, 100, 0.0, 0.0);
    last.difference = Some(Difference {
        divergent_circles: 3,
        stray_entries: 2,
        ..Difference::default()
    });
    let course = against(vec![
        message(RebuildPhase::Building, 0, 0.0, 0.0),
        message(RebuildPhase::Building, 40, 40.0, 1.5),
        message(RebuildPhase::Building, 80, 0.0, 0.0),
        message(RebuildPhase::Comparing, 100, 0.0, 0.0),
        last,
    ])
    .await
    .unwrap();
    assert_eq!(course.progress.len(), 5);
    assert_eq!(course.messages_with_rate(), (1, 2));
    assert_eq!((course.divergent, course.stray), (3, 2));
    assert!(course.building <= course.seconds);
}

#[tokio::test]
async fn a_rebuild_without_an_end_is_none() {
    let messages = vec![message(RebuildPhase::Building, 40, 40.0, 1.5)];
    assert!(against(messages).await.is_err());
    assert!(against(Vec::new()).await.is_err());
}
