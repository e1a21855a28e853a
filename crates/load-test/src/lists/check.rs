//! Whether what is listed is what was asked for: an answer that is wrong would be no measure.

use circles_proto::circles::v1::{Circle, CircleFilter, CircleOrder, ListCirclesRequest};

/// Looks at the circles of one list, one after the other.
pub(super) struct Check {
    order: CircleOrder,
    filter: CircleFilter,
    last: Option<Circle>,
}

impl Check {
    pub(super) fn new(request: &ListCirclesRequest) -> Self {
        Self {
            order: request.order_by(),
            filter: request.filter.clone().unwrap_or_default(),
            last: None,
        }
    }

    /// Fails where the circle does not meet the filter, or does not come after the one before it.
    pub(super) fn next(&mut self, circle: &Circle) -> Result<(), &'static str> {
        let CircleFilter {
            name_prefix,
            min_capacity,
            max_capacity,
        } = &self.filter;
        let (min, max) = (min_capacity.unwrap_or(0), max_capacity.unwrap_or(i32::MAX));
        if !circle.name.starts_with(name_prefix) || !(min..=max).contains(&circle.capacity) {
            return Err("a list with circles that its filter excludes");
        }
        let last = self.last.replace(circle.clone());
        if last.is_some_and(|last| !follows(self.order, &last, circle)) {
            return Err("a list in another order");
        }
        Ok(())
    }
}

fn follows(order: CircleOrder, one: &Circle, next: &Circle) -> bool {
    match order {
        CircleOrder::Unspecified | CircleOrder::NameAsc => name(one) < name(next),
        CircleOrder::NameDesc => name(one) > name(next),
        CircleOrder::CapacityAsc => capacity(one) < capacity(next),
        CircleOrder::CapacityDesc => capacity(one) > capacity(next),
        // When a circle was created is not told.
        CircleOrder::CreateTimeAsc | CircleOrder::CreateTimeDesc => one.circle_id != next.circle_id,
    }
}

/// By names; equal ones by id.
fn name(circle: &Circle) -> (&str, &str) {
    (&circle.name, &circle.circle_id)
}

fn capacity(circle: &Circle) -> (i32, (&str, &str)) {
    (circle.capacity, name(circle))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(name: &str, capacity: i32) -> Circle {
        Circle {
            circle_id: format!("id of {name}"),
            name: name.to_owned(),
            capacity,
            version: 1,
        }
    }

    fn check(order: CircleOrder, filter: CircleFilter, circles: &[Circle]) -> bool {
        let mut check = Check {
            order,
            filter,
            last: None,
        };
        circles.iter().all(|circle| check.next(circle).is_ok())
    }

    #[test]
    fn the_order_is_looked_at() {
        let list = [circle("a", 20), circle("b", 10)];
        let any = CircleFilter::default;
        assert!(check(CircleOrder::NameAsc, any(), &list));
        assert!(!check(CircleOrder::NameDesc, any(), &list));
        assert!(!check(CircleOrder::CapacityAsc, any(), &list));
        assert!(check(CircleOrder::CapacityDesc, any(), &list));
        assert!(check(CircleOrder::CreateTimeAsc, any(), &list));
        let twice = [circle("a", 20), circle("a", 20)];
        assert!(!check(CircleOrder::NameAsc, any(), &twice));
        assert!(!check(CircleOrder::CreateTimeDesc, any(), &twice));
    }

    #[test]
    fn the_filter_is_looked_at() {
        let filter = || CircleFilter {
            name_prefix: "a".to_owned(),
            min_capacity: Some(10),
            max_capacity: Some(20),
        };
        let order = CircleOrder::NameAsc;
        assert!(check(order, filter(), &[circle("ab", 10)]));
        assert!(!check(order, filter(), &[circle("b", 10)]));
        assert!(!check(order, filter(), &[circle("a", 9)]));
        assert!(!check(order, filter(), &[circle("a", 21)]));
    }
}
