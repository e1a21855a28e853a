//! Request ids that are the same whenever an import is run again.

use uuid::Uuid;

use crate::record::Circle;

/// Made once; part of every request id. Never to be changed: an import that was interrupted
/// would create its lines again.
const NAMESPACE: Uuid = Uuid::from_u128(0x6e24_1d0a_9b0f_5c1e_8f3b_52c5_b1a4_7c60);

/// Makes the request ids of one import.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestIds(Uuid);

impl RequestIds {
    /// Of the import that has this id.
    pub(crate) fn new(import_id: &str) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, import_id.as_bytes()))
    }

    /// For what a line says.
    pub(crate) fn of(self, line: u64, circle: &Circle) -> String {
        let Circle { name, capacity } = circle;
        let content = format!("{line},{capacity},{name}");
        Uuid::new_v5(&self.0, content.as_bytes()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(import: &str, line: u64, name: &str, capacity: i32) -> String {
        let name = name.to_owned();
        RequestIds::new(import).of(line, &Circle { name, capacity })
    }

    #[test]
    fn a_line_has_one_id_for_ever() {
        let chess = id("circles.csv", 2, "chess", 20);
        assert_eq!(chess, "13be5664-c282-59c7-a305-3b2bfa3fd578");
        for other in [
            id("other.csv", 2, "chess", 20),
            id("circles.csv", 3, "chess", 20),
            id("circles.csv", 2, "chess ", 20),
            id("circles.csv", 2, "chess", 21),
            id("circles.csv", 22, "chess", 0),
        ] {
            assert_ne!(other, chess);
        }
    }
}
