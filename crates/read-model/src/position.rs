//! Where a page of a list ends and the next one goes on.

use shared_domain::{CircleId, Sequence};

use crate::keys::NUL;
use crate::list::Order;

/// The place of one entry in the list of one [`Order`], in either direction.
///
/// The next page begins behind the place, whether or not the entry is still
/// there. It is made of what the entry is ordered by and nothing else, so an
/// entry that changes without moving is neither shown twice nor skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position(pub(crate) Place);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `name NUL id`.
    Name(String),
    /// `capacity NUL name NUL id`.
    Capacity(String),
    /// The sequence of the creation.
    CreateTime(Sequence),
}

impl Position {
    /// The order of the list that it belongs to.
    #[must_use]
    pub fn order(&self) -> Order {
        match self.0 {
            Place::Name(_) => Order::Name,
            Place::Capacity(_) => Order::Capacity,
            Place::CreateTime(_) => Order::CreateTime,
        }
    }

    /// The bytes by which [`from_bytes`](Self::from_bytes) knows it again.
    /// They hold the name of a circle.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Place::Name(place) => format!("n{place}"),
            Place::Capacity(place) => format!("c{place}"),
            Place::CreateTime(sequence) => format!("t{sequence}"),
        }
        .into_bytes()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) made.
    ///
    /// # Errors
    ///
    /// [`InvalidPosition`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidPosition> {
        let text = std::str::from_utf8(bytes).map_err(|_| InvalidPosition)?;
        let place = match text.split_at_checked(1) {
            Some(("n", place)) => name_place(place).map(Place::Name),
            Some(("c", place)) => capacity_place(place).map(Place::Capacity),
            Some(("t", place)) => create_time_place(place).map(Place::CreateTime),
            _ => None,
        };
        place.map(Self).ok_or(InvalidPosition)
    }

    /// The position of an entry of an index: its member, or its score in the
    /// list by creation.
    pub(crate) fn of_entry(order: Order, entry: &[u8]) -> Option<Self> {
        let entry = std::str::from_utf8(entry).ok()?;
        let place = match order {
            // The last field is the capacity, by which nothing is ordered.
            Order::Name => Place::Name(name_place(entry.rsplit_once(NUL)?.0)?),
            Order::Capacity => Place::Capacity(capacity_place(entry)?),
            Order::CreateTime => Place::CreateTime(create_time_place(entry)?),
        };
        Some(Self(place))
    }
}

fn name_place(place: &str) -> Option<String> {
    let (name, id) = place.split_once(NUL)?;
    (!name.is_empty() && CircleId::parse(id).is_ok()).then(|| place.to_owned())
}

fn capacity_place(place: &str) -> Option<String> {
    let (capacity, rest) = place.split_once(NUL)?;
    let padded = capacity.len() == 5 && capacity.bytes().all(|byte| byte.is_ascii_digit());
    (padded && name_place(rest).is_some()).then(|| place.to_owned())
}

fn create_time_place(place: &str) -> Option<Sequence> {
    let sequence: u64 = place.parse().ok()?;
    // One place has one spelling.
    (sequence.to_string() == place).then_some(Sequence::new(sequence))
}

/// The bytes are not those of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these are not the bytes of a position in a list")]
pub struct InvalidPosition;

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890000-0000-7000-8000-000000000001";

    #[test]
    fn positions_survive_their_bytes() {
        let entries = [
            (Order::Name, format!("将棋\0{ID}\x0020")),
            (Order::Capacity, format!("00020\0将棋\0{ID}")),
            (Order::CreateTime, "9007199254740991".to_owned()),
        ];
        for (order, entry) in entries {
            let position = Position::of_entry(order, entry.as_bytes()).unwrap();
            assert_eq!(position.order(), order);
            assert_eq!(Position::from_bytes(&position.to_bytes()), Ok(position));
        }
    }

    #[test]
    fn a_change_of_capacity_does_not_change_the_place_by_name() {
        let of = |entry: String| Position::of_entry(Order::Name, entry.as_bytes()).unwrap();
        assert_eq!(
            of(format!("chess\0{ID}\x0020")),
            of(format!("chess\0{ID}\x00300"))
        );
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [
            Vec::new(),
            b"n".to_vec(),
            b"nchess".to_vec(),
            b"nchess\0no-id".to_vec(),
            format!("n\0{ID}").into_bytes(),
            format!("c20\0chess\0{ID}").into_bytes(),
            format!("c+0020\0chess\0{ID}").into_bytes(),
            b"t-1".to_vec(),
            b"t+1".to_vec(),
            b"t01".to_vec(),
            b"x1".to_vec(),
            b"\xff".to_vec(),
            "é1".as_bytes().to_vec(),
        ] {
            assert_eq!(
                Position::from_bytes(&bytes),
                Err(InvalidPosition),
                "{bytes:?}"
            );
        }
    }
}
