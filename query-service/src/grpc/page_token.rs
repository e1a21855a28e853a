//! Page tokens: opaque to clients, and good only for the list or history that they were given for.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use read_model::{ListQuery, Order, Position};
use serde::{Deserialize, Serialize};
use shared_domain::{CircleId, Version};

/// No token of ours is longer: a name and a prefix of 100 characters each, in Base64 twice.
const MAX_LENGTH: usize = 4_096;

/// What a token says: the list, and the position in it. Tokens live for minutes, and a replica of
/// the next version may be asked for the next page, so fields may be added but not changed.
#[derive(Serialize, Deserialize)]
struct Token<'a> {
    #[serde(rename = "d")]
    descending: bool,
    #[serde(rename = "p")]
    name_prefix: std::borrow::Cow<'a, str>,
    #[serde(rename = "l")]
    min_capacity: Option<i32>,
    #[serde(rename = "m")]
    max_capacity: Option<i32>,
    #[serde(rename = "o")]
    order: u8,
    #[serde(rename = "a")]
    after: String,
}

impl<'a> Token<'a> {
    fn new(query: &'a ListQuery, after: &Position) -> Self {
        Self {
            descending: query.descending,
            name_prefix: query.name_prefix.as_str().into(),
            min_capacity: query.min_capacity,
            max_capacity: query.max_capacity,
            order: number(query.order),
            after: BASE64_URL_SAFE_NO_PAD.encode(after.to_bytes()),
        }
    }

    fn is_for(&self, query: &ListQuery) -> bool {
        self.descending == query.descending
            && self.name_prefix == query.name_prefix
            && self.min_capacity == query.min_capacity
            && self.max_capacity == query.max_capacity
            && self.order == number(query.order)
    }
}

fn number(order: Order) -> u8 {
    match order {
        Order::Name => 0,
        Order::Capacity => 1,
        Order::CreateTime => 2,
    }
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidToken {
    /// It is none of ours.
    #[error("it was not given by this service")]
    Malformed,
    /// It belongs to another list.
    #[error("it was given for another order or filter")]
    OtherList,
    /// It belongs to another history.
    #[error("it was given for another circle or direction")]
    OtherHistory,
}

/// The token for the page after `after`.
pub(crate) fn encode(query: &ListQuery, after: &Position) -> String {
    write(&Token::new(query, after))
}

/// The position that a token stands for in this list.
pub(crate) fn decode(query: &ListQuery, token: &str) -> Result<Position, InvalidToken> {
    let json = read(token)?;
    let token: Token<'_> = serde_json::from_slice(&json).map_err(|_| InvalidToken::Malformed)?;
    let after = BASE64_URL_SAFE_NO_PAD
        .decode(&token.after)
        .map_err(|_| InvalidToken::Malformed)?;
    let after = Position::from_bytes(&after).map_err(|_| InvalidToken::Malformed)?;
    if !token.is_for(query) {
        return Err(InvalidToken::OtherList);
    }
    // Ours say the order twice; somebody has put this one together.
    if after.order() != query.order {
        return Err(InvalidToken::Malformed);
    }
    Ok(after)
}

/// What a token of a history says: which one, and behind which version it goes on.
#[derive(Serialize, Deserialize)]
struct HistoryToken {
    #[serde(rename = "c")]
    circle: CircleId,
    #[serde(rename = "d")]
    descending: bool,
    #[serde(rename = "v")]
    after: Version,
}

/// The token for the page of a history behind a version.
pub(crate) fn encode_history(circle: CircleId, descending: bool, after: Version) -> String {
    write(&HistoryToken {
        circle,
        descending,
        after,
    })
}

/// The version that a token stands for in this history.
pub(crate) fn decode_history(
    circle: CircleId,
    descending: bool,
    token: &str,
) -> Result<Version, InvalidToken> {
    let token: HistoryToken =
        serde_json::from_slice(&read(token)?).map_err(|_| InvalidToken::Malformed)?;
    if (token.circle, token.descending) != (circle, descending) {
        return Err(InvalidToken::OtherHistory);
    }
    Ok(token.after)
}

fn write(token: &impl Serialize) -> String {
    let json = serde_json::to_vec(token)
        .expect("texts and numbers under fixed keys always have a JSON form");
    BASE64_URL_SAFE_NO_PAD.encode(json)
}

fn read(token: &str) -> Result<Vec<u8>, InvalidToken> {
    if token.len() > MAX_LENGTH {
        return Err(InvalidToken::Malformed);
    }
    BASE64_URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|_| InvalidToken::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position() -> Position {
        Position::from_bytes(
            "nchess\0 01890000-0000-7000-8000-000000000001"
                .replace(' ', "")
                .as_bytes(),
        )
        .unwrap()
    }

    #[test]
    fn a_token_stands_for_its_position_in_its_list() {
        let query = ListQuery::new(Order::Name, 10);
        let token = encode(&query, &position());
        assert_eq!(decode(&query, &token), Ok(position()));
        // The size of the page may change from page to page.
        assert_eq!(
            decode(&ListQuery::new(Order::Name, 20), &token),
            Ok(position())
        );
    }

    #[test]
    fn a_token_is_refused_by_every_other_list() {
        let query = ListQuery::new(Order::Name, 10);
        let token = encode(&query, &position());
        for other in [
            query.clone().descending(),
            ListQuery::new(Order::Capacity, 10),
            ListQuery {
                name_prefix: "c".into(),
                ..query.clone()
            },
            ListQuery {
                min_capacity: Some(3),
                ..query.clone()
            },
            ListQuery {
                max_capacity: Some(3),
                ..query.clone()
            },
        ] {
            assert_eq!(
                decode(&other, &token),
                Err(InvalidToken::OtherList),
                "{other:?}"
            );
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let query = ListQuery::new(Order::Name, 10);
        for text in ["x", "e30", "????", &"A".repeat(5_000), "bnVsbA"] {
            assert_eq!(decode(&query, text), Err(InvalidToken::Malformed), "{text}");
        }
    }

    #[test]
    fn a_position_in_another_order_than_its_token_names_is_refused() {
        let query = ListQuery::new(Order::Name, 10);
        let elsewhere = Position::from_bytes(b"t7").unwrap();
        let token = encode(&query, &elsewhere);
        assert_eq!(decode(&query, &token), Err(InvalidToken::Malformed));
    }

    #[test]
    fn the_longest_token_is_accepted() {
        let name = "𝄞".repeat(100);
        let place = format!("c32767\0{name}\001890000-0000-7000-8000-000000000001");
        let after = Position::from_bytes(place.as_bytes()).unwrap();
        let query = ListQuery {
            name_prefix: name,
            ..ListQuery::new(Order::Capacity, 10)
        };
        assert_eq!(decode(&query, &encode(&query, &after)), Ok(after));
    }

    #[test]
    fn a_token_of_a_history_is_good_for_that_only() {
        let [circle, other] = [1, 2]
            .map(|n| CircleId::parse(&format!("01890000-0000-7000-8000-00000000000{n}")).unwrap());
        let after = Version::new(7).unwrap();
        let token = encode_history(circle, true, after);
        assert_eq!(decode_history(circle, true, &token), Ok(after));
        let refused = Err(InvalidToken::OtherHistory);
        assert_eq!(decode_history(other, true, &token), refused);
        assert_eq!(decode_history(circle, false, &token), refused);

        let malformed = Err(InvalidToken::Malformed);
        let list = encode(&ListQuery::new(Order::Name, 10), &position());
        for text in ["x", "e30", "????", &"A".repeat(5_000), &list] {
            assert_eq!(decode_history(circle, true, text), malformed, "{text}");
        }
        let list = ListQuery::new(Order::Name, 10);
        assert_eq!(decode(&list, &token), Err(InvalidToken::Malformed));
    }
}
