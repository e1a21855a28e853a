//! The gRPC interface.

mod convert;
mod import;
#[cfg(test)]
mod input_properties;

use std::sync::{Arc, OnceLock};

use circles_proto::circles::v1::circle_command_service_server::CircleCommandService;
use circles_proto::circles::v1::{
    CreateCircleRequest, CreateCircleResponse, DeleteCircleRequest, DeleteCircleResponse,
    ImportCirclesRequest, UpdateCircleRequest, UpdateCircleResponse,
};
use service_kit::health::Readiness;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, Streaming};

use self::convert::Caller;
use crate::commands::{Accepted, Commands};
use crate::failure;

/// Answers calls, once there is a log to append to.
#[derive(Clone, Debug)]
pub(crate) struct CommandService {
    commands: Arc<OnceLock<Commands>>,
    readiness: Readiness,
    /// Places for the requests of imports that are worked on.
    imports: Arc<Semaphore>,
}

impl CommandService {
    pub(crate) fn new(commands: Arc<OnceLock<Commands>>, readiness: Readiness) -> Self {
        Self {
            commands,
            readiness,
            imports: Arc::new(Semaphore::new(import::WORKED_ON)),
        }
    }

    fn commands(&self) -> Result<&Commands, Status> {
        self.commands.get().ok_or_else(failure::starting)
    }

    async fn execute<T: convert::IntoOrder>(
        &self,
        request: Request<T>,
    ) -> Result<Accepted, Status> {
        let caller = Caller::of(&request);
        let order = convert::order(request.into_inner(), caller)?;
        self.commands()?
            .execute(order)
            .await
            .map_err(|rejected| failure::status(&rejected))
    }
}

#[tonic::async_trait]
impl CircleCommandService for CommandService {
    #[tracing::instrument(name = "CreateCircle", level = "debug", skip_all)]
    async fn create_circle(
        &self,
        request: Request<CreateCircleRequest>,
    ) -> Result<Response<CreateCircleResponse>, Status> {
        let Accepted {
            circle_id,
            version,
            sequence,
        } = self.execute(request).await?;
        Ok(Response::new(CreateCircleResponse {
            circle_id: circle_id.to_string(),
            version: version.get(),
            sequence: convert::sequence(sequence),
        }))
    }

    #[tracing::instrument(name = "UpdateCircle", level = "debug", skip_all)]
    async fn update_circle(
        &self,
        request: Request<UpdateCircleRequest>,
    ) -> Result<Response<UpdateCircleResponse>, Status> {
        let Accepted {
            circle_id,
            version,
            sequence,
        } = self.execute(request).await?;
        Ok(Response::new(UpdateCircleResponse {
            circle_id: circle_id.to_string(),
            version: version.get(),
            sequence: convert::sequence(sequence),
        }))
    }

    #[tracing::instrument(name = "DeleteCircle", level = "debug", skip_all)]
    async fn delete_circle(
        &self,
        request: Request<DeleteCircleRequest>,
    ) -> Result<Response<DeleteCircleResponse>, Status> {
        let Accepted {
            circle_id,
            version,
            sequence,
        } = self.execute(request).await?;
        Ok(Response::new(DeleteCircleResponse {
            circle_id: circle_id.to_string(),
            version: version.get(),
            sequence: convert::sequence(sequence),
        }))
    }

    type ImportCirclesStream = import::Answers;

    #[tracing::instrument(name = "ImportCircles", level = "debug", skip_all)]
    async fn import_circles(
        &self,
        request: Request<Streaming<ImportCirclesRequest>>,
    ) -> Result<Response<import::Answers>, Status> {
        self.commands()?;
        Ok(Response::new(import::answers(self.clone(), request)))
    }
}
