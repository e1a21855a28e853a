//! Where a page of a list ends and the next one goes on.

use shared_domain::{CircleId, Sequence};

use crate::keys::{self, NUL};
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
    /// `capacity name NUL id`, the capacity with 5 digits.
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
            Place::Capacity(place) => {
                let (capacity, rest) = place.split_at(DIGITS);
                format!("c{capacity}{NUL}{rest}")
            }
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
            Some(("n", place)) => is_name_place(place).then(|| Place::Name(place.to_owned())),
            Some(("c", place)) => place.split_once(NUL).and_then(|(capacity, rest)| {
                (is_capacity(capacity) && is_name_place(rest))
                    .then(|| Place::Capacity(format!("{capacity}{rest}")))
            }),
            Some(("t", place)) => create_time_place(place).map(Place::CreateTime),
            _ => None,
        };
        place.map(Self).ok_or(InvalidPosition)
    }

    /// What it is sorted by: a score by creation, a text otherwise.
    pub(crate) fn sort_key(&self) -> (u64, &str) {
        match &self.0 {
            Place::Name(place) | Place::Capacity(place) => (0, place),
            Place::CreateTime(sequence) => (sequence.get(), ""),
        }
    }

    /// The position of an entry of an index: its member, or its score in the
    /// list by creation.
    pub(crate) fn of_entry(order: Order, entry: &[u8]) -> Option<Self> {
        let place = match order {
            // Nothing is ordered by what follows.
            Order::Name => {
                let place = text(entry.split_last_chunk::<{ keys::BY_NAME_END }>()?.0)?;
                is_name_place(place).then(|| Place::Name(place.to_owned()))
            }
            Order::Capacity => {
                let place = text(entry.split_last_chunk::<{ keys::BY_CAPACITY_END }>()?.0)?;
                let (capacity, rest) = place.split_at_checked(DIGITS)?;
                (is_capacity(capacity) && is_name_place(rest))
                    .then(|| Place::Capacity(place.to_owned()))
            }
            Order::CreateTime => create_time_place(text(entry)?).map(Place::CreateTime),
        };
        place.map(Self)
    }
}

/// How many digits a capacity has.
const DIGITS: usize = 5;

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn is_name_place(place: &str) -> bool {
    place
        .split_once(NUL)
        .is_some_and(|(name, id)| !name.is_empty() && CircleId::parse(id).is_ok())
}

fn is_capacity(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
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
            (Order::Name, format!("将棋\0{ID}000200000000007")),
            (Order::Capacity, format!("00020将棋\0{ID}0000000007")),
            (Order::CreateTime, "9007199254740991".to_owned()),
        ];
        for (order, entry) in entries {
            let position = Position::of_entry(order, entry.as_bytes()).unwrap();
            assert_eq!(position.order(), order);
            assert_eq!(Position::from_bytes(&position.to_bytes()), Ok(position));
        }
    }

    #[test]
    fn what_nothing_is_ordered_by_does_not_change_the_place() {
        let of = |order, entry: String| Position::of_entry(order, entry.as_bytes()).unwrap();
        assert_eq!(
            of(Order::Name, format!("chess\0{ID}000200000000007")),
            of(Order::Name, format!("chess\0{ID}003000000000008"))
        );
        assert_eq!(
            of(Order::Capacity, format!("00020chess\0{ID}0000000007")),
            of(Order::Capacity, format!("00020chess\0{ID}0000000008"))
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
