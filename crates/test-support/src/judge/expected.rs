//! The keys that should be in Redis, changes and parked circles apart.

use super::fold::Fold;
use super::found::{Value, World};
use super::options::Options;

/// All of them, of all partitions.
pub(super) fn expected(fold: &Fold, options: &Options) -> World {
    let mut world = World::default();
    let checkpoint = match &fold.last {
        Some((sequence, id)) => format!(r#"{{"sequence":{sequence},"event_id":"{id}"}}"#),
        None => r#"{"sequence":0,"event_id":null}"#.to_owned(),
    };
    for (partition, prefix) in options.prefixes().iter().enumerate() {
        let mut set = |key: String, value| world.insert(format!("{prefix}{key}"), value);
        set(
            "circles:checkpoint".to_owned(),
            Value::Text(checkpoint.clone()),
        );
        set("circles:layout".to_owned(), Value::Text("2".to_owned()));

        let (mut by_name, mut by_capacity, mut by_create_time) = (vec![], vec![], vec![]);
        let mut parked = 0;
        let circles = fold.circles.iter();
        for (id, circle) in circles.filter(|(id, _)| options.partition_of(id) == partition) {
            parked += usize::from(circle.parked.is_some());
            if !circle.history.is_empty() {
                let history = Value::List(circle.history.clone());
                set(format!("circle:{id}:history"), history);
            }
            let Some((name, capacity)) = &circle.state else {
                continue;
            };
            let document = circle.document(id).map(Value::Text);
            set(format!("circle:{id}"), document.expect("a state"));
            let version = circle.version;
            by_name.push((0, format!("{name}\0{id}{capacity:05}{version:010}")));
            by_capacity.push((0, format!("{capacity:05}{name}\0{id}{version:010}")));
            by_create_time.push((
                circle.created,
                format!("{capacity:05}{name}\0{id}{version:010}"),
            ));
        }
        for (index, mut members) in [
            ("by_name", by_name),
            ("by_capacity", by_capacity),
            ("by_create_time", by_create_time),
        ] {
            members.sort();
            let members = members.into_iter();
            let members: Vec<(String, String)> = members
                .map(|(score, member)| (member, score.to_string()))
                .collect();
            // Redis has no empty sorted set.
            if !members.is_empty() {
                set(format!("circles:{index}"), Value::Members(members));
            }
        }
        if parked > 0 {
            let count = Value::Text(parked.to_string());
            set("circles:parked:count".to_owned(), count);
        }
    }
    world
}
