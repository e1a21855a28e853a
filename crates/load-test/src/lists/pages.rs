//! Reads a list page by page, to find where its pages begin.

use circles_proto::circles::v1::{ListCirclesRequest, ListCirclesResponse};
use prost::Message as _;

use crate::client::{Caller, Client, Failure};
use crate::grpc::{Rpc, frame};
use crate::lists::check::Check;

/// On its way through a list.
pub(super) struct Walk {
    caller: Caller,
    next: ListCirclesRequest,
    check: Check,
    /// The token of every page that was read; empty for the first.
    tokens: Vec<String>,
    /// How many circles were on them.
    pub(super) circles: usize,
}

impl Walk {
    pub(super) fn new(client: &Client, first: ListCirclesRequest) -> Self {
        Self {
            caller: client.caller(0),
            check: Check::new(&first),
            next: first,
            tokens: Vec::new(),
            circles: 0,
        }
    }

    /// Reads a page and checks it; whether there is another one.
    pub(super) async fn step(&mut self) -> Result<bool, Failure> {
        let answer = self
            .caller
            .call(Rpc::ListCircles, frame(&self.next))
            .await?;
        let page = ListCirclesResponse::decode(answer)
            .map_err(|_| Failure::Malformed("not a ListCirclesResponse"))?;
        for circle in &page.circles {
            self.check.next(circle).map_err(Failure::Malformed)?;
        }
        self.circles += page.circles.len();
        let token = std::mem::replace(&mut self.next.page_token, page.next_page_token);
        self.tokens.push(token);
        Ok(!self.next.page_token.is_empty())
    }

    /// The pages that were read, at most so many, chosen at random, with this size.
    pub(super) fn pages(mut self, page_size: i32, most: usize) -> Vec<ListCirclesRequest> {
        fastrand::shuffle(&mut self.tokens);
        self.tokens.truncate(most);
        let page = |page_token| ListCirclesRequest {
            page_size,
            page_token,
            ..self.next.clone()
        };
        self.tokens.into_iter().map(page).collect()
    }
}
