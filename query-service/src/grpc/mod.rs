//! The gRPC interface.

mod convert;
mod page_token;

use circles_proto::circles::v1::circle_query_service_server::CircleQueryService;
use circles_proto::circles::v1::{
    BatchGetCirclesRequest, BatchGetCirclesResponse, GetCircleRequest, GetCircleResponse,
    ListCirclesRequest, ListCirclesResponse,
};
use read_model::Found;
use tonic::{Request, Response, Status};

use crate::failure;
use crate::queries::Queries;

/// Answers calls.
pub(crate) struct QueryService {
    queries: Queries,
}

impl QueryService {
    pub(crate) fn new(queries: Queries) -> Self {
        Self { queries }
    }
}

#[tonic::async_trait]
impl CircleQueryService for QueryService {
    #[tracing::instrument(name = "GetCircle", level = "debug", skip_all)]
    async fn get_circle(
        &self,
        request: Request<GetCircleRequest>,
    ) -> Result<Response<GetCircleResponse>, Status> {
        let (id, wait) = convert::get(&request)?;
        let Found { value, sequence } = self
            .queries
            .get(id, wait)
            .await
            .map_err(|failed| failure::status(&failed))?;
        Ok(Response::new(GetCircleResponse {
            circle: Some(convert::circle(value.ok_or_else(failure::not_found)?)),
            sequence: convert::sequence(sequence),
        }))
    }

    #[tracing::instrument(name = "BatchGetCircles", level = "debug", skip_all)]
    async fn batch_get_circles(
        &self,
        request: Request<BatchGetCirclesRequest>,
    ) -> Result<Response<BatchGetCirclesResponse>, Status> {
        let (ids, wait) = convert::batch_get(&request)?;
        let Found { value, sequence } = self
            .queries
            .batch_get(&ids, wait)
            .await
            .map_err(|failed| failure::status(&failed))?;
        let mut response = BatchGetCirclesResponse {
            sequence: convert::sequence(sequence),
            ..BatchGetCirclesResponse::default()
        };
        for (id, document) in ids.iter().zip(value) {
            match document {
                Some(document) => response.circles.push(convert::circle(document)),
                None => response.missing_circle_ids.push(id.to_string()),
            }
        }
        Ok(Response::new(response))
    }

    #[tracing::instrument(name = "ListCircles", level = "debug", skip_all)]
    async fn list_circles(
        &self,
        request: Request<ListCirclesRequest>,
    ) -> Result<Response<ListCirclesResponse>, Status> {
        let (query, wait) = convert::list(&request)?;
        let page = self
            .queries
            .list(&query, wait)
            .await
            .map_err(|failed| failure::status(&failed))?;
        let next_page_token = page
            .next
            .map(|next| page_token::encode(&query, &next))
            .unwrap_or_default();
        Ok(Response::new(ListCirclesResponse {
            circles: page.documents.into_iter().map(convert::circle).collect(),
            next_page_token,
            sequence: convert::sequence(page.sequence),
        }))
    }
}
