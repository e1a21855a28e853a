//! Every kind of list: any order, filter and page.

mod check;
mod pages;

use std::rc::Rc;

use bytes::Bytes;
use circles_proto::circles::v1::{CircleFilter, CircleOrder, ListCirclesRequest};

use crate::client::{Client, Failure};
use crate::grpc::frame;
use crate::lists::pages::Walk;

/// One kind of list, and pages of it, which are asked for at random.
#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) name: Rc<str>,
    pages: Rc<[Bytes]>,
}

/// How the lists of these groups are called, before their own names. Of each group the slowest counts.
pub(crate) const FIRST: &str = "list first";
pub(crate) const DEEP: &str = "list deep";
pub(crate) const FILTERED: &str = "list filter";

/// Circles on a page that is measured.
const PAGE: i32 = 50;
/// Pages of a walk through a whole list, and how many of them are then measured.
const LONG_PAGE: i32 = 1_000;
const DEEP_PAGES: usize = 200;
/// So many pages under a filter are measured.
const FILTERED_PAGES: usize = 40;

const ORDERS: [(&str, CircleOrder); 6] = [
    ("name-asc", CircleOrder::NameAsc),
    ("name-desc", CircleOrder::NameDesc),
    ("capacity-asc", CircleOrder::CapacityAsc),
    ("capacity-desc", CircleOrder::CapacityDesc),
    ("time-asc", CircleOrder::CreateTimeAsc),
    ("time-desc", CircleOrder::CreateTimeDesc),
];

impl List {
    /// The first page in this order.
    pub(crate) fn first(name: &str, order: CircleOrder) -> Self {
        Self::new(name.to_owned(), &[request(order, None, PAGE)])
    }

    fn new(name: String, pages: &[ListCirclesRequest]) -> Self {
        Self {
            name: name.into(),
            pages: pages.iter().map(frame).collect(),
        }
    }

    /// Any of the pages.
    pub(crate) fn any(&self) -> Bytes {
        self.pages[fastrand::usize(..self.pages.len())].clone()
    }
}

/// The first page in each order.
pub(crate) fn first_pages() -> Vec<List> {
    let list = |(name, order)| List::first(&format!("{FIRST} {name}"), order);
    ORDERS.into_iter().map(list).collect()
}

/// Pages from anywhere in the list, in each order. To find where they begin, all pages are read and checked;
/// there must be at least so many `circles` on them.
pub(crate) async fn deep_pages(client: &Client, circles: usize) -> Result<Vec<List>, Failure> {
    let mut lists = Vec::new();
    for (name, order) in ORDERS {
        let mut walk = Walk::new(client, request(order, None, LONG_PAGE));
        while walk.step().await? {}
        if walk.circles < circles {
            return Err(Failure::Malformed("a list in which circles are missing"));
        }
        let pages = walk.pages(PAGE, DEEP_PAGES);
        lists.push(List::new(format!("{DEEP} {name}"), &pages));
    }
    Ok(lists)
}

/// Each order under each filter: the first page and some that follow it, as far as there are any.
pub(crate) async fn filtered(client: &Client) -> Result<Vec<List>, Failure> {
    let mut lists = Vec::new();
    for (filter_name, filter) in filters() {
        for (name, order) in ORDERS {
            let mut walk = Walk::new(client, request(order, Some(filter.clone()), PAGE));
            for _ in 0..FILTERED_PAGES {
                if !walk.step().await? {
                    break;
                }
            }
            let pages = walk.pages(PAGE, FILTERED_PAGES);
            lists.push(List::new(
                format!("{FILTERED} {filter_name} {name}"),
                &pages,
            ));
        }
    }
    Ok(lists)
}

/// Names are one of eight words with a number of seven digits, capacities lie between 3 and 999, both evenly.
fn filters() -> [(&'static str, CircleFilter); 6] {
    let filter = |prefix: &str, capacities: Option<(i32, i32)>| CircleFilter {
        name_prefix: prefix.to_owned(),
        min_capacity: capacities.map(|(min, _)| min),
        max_capacity: capacities.map(|(_, max)| max),
    };
    [
        // One circle in 8, in 8,000, none.
        ("prefix", filter("Chess", None)),
        ("rare", filter("Chess 000", None)),
        ("none", filter("Zumba", None)),
        // Nine in ten, one in 500.
        ("wide", filter("", Some((100, 999)))),
        ("narrow", filter("", Some((500, 501)))),
        // One in 4,000.
        ("both", filter("Chess", Some((500, 501)))),
    ]
}

fn request(order: CircleOrder, filter: Option<CircleFilter>, page_size: i32) -> ListCirclesRequest {
    ListCirclesRequest {
        page_size,
        page_token: String::new(),
        order_by: order.into(),
        filter,
        min_sequence: None,
    }
}
