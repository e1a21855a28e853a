//! Callers with and without a good token.

use std::{
    fs,
    num::NonZeroU32,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use serde_json::json;
use service_kit::{auth, server::Options};
use test_support::tokens::{Issuer, jwks};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_types::StatusExt as _;

use crate::support::{Running, SCOPE, call_slow, health, soon, start_with};

/// A server that believes an issuer, whose keys are in a file.
struct Guarded {
    server: Running,
    keys: PathBuf,
}

impl Guarded {
    async fn start(test: &str, issuer: &Issuer, options: Options) -> Self {
        let name = format!("circles-jwks-{test}-{}", std::process::id());
        let keys = std::env::temp_dir().join(name);
        fs::write(&keys, issuer.jwks()).unwrap();
        let auth = auth::Options {
            keys: keys.clone(),
            issuer: None,
            audience: Some("circles".to_owned()),
        };
        let server = start_with(Options {
            auth: Some(auth),
            ..options
        })
        .await;
        server.slow.released.add_permits(1_000);
        Self { server, keys }
    }

    /// What a call gets with this token.
    async fn call(&self, token: Option<&str>) -> Status {
        let mut request = Request::new(HealthCheckRequest::default());
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        call_slow(self.server.connect().await, request).await
    }

    /// Whether the service itself was reached.
    async fn lets_in(&self, token: &str) -> bool {
        self.call(Some(token)).await.code() == Code::Aborted
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.keys);
    }
}

/// A token that expires so many seconds from now.
fn token(issuer: &Issuer, scope: &str, audience: &str, seconds: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_secs()).unwrap();
    issuer.token(&json!({
        "sub": "anna",
        "aud": audience,
        "scope": scope,
        "exp": now + seconds,
    }))
}

fn refused(status: &Status) -> (Code, String) {
    (
        status.code(),
        status.get_details_error_info().unwrap().reason,
    )
}

#[tokio::test]
async fn a_call_needs_a_good_token_of_the_right_scope() {
    let (issuer, other) = (Issuer::ed25519("1"), Issuer::ed25519("1"));
    let guarded = Guarded::start("good", &issuer, Options::default()).await;
    for scope in [SCOPE.to_owned(), format!("test.other {SCOPE}")] {
        assert!(
            guarded
                .lets_in(&token(&issuer, &scope, "circles", 60))
                .await
        );
    }
    for (bad, code, reason) in [
        (None, Code::Unauthenticated, "TOKEN_MISSING"),
        (
            Some(token(&issuer, SCOPE, "circles", -60)),
            Code::Unauthenticated,
            "TOKEN_EXPIRED",
        ),
        (
            Some(token(&other, SCOPE, "circles", 60)),
            Code::Unauthenticated,
            "TOKEN_INVALID",
        ),
        (
            Some(token(&issuer, SCOPE, "others", 60)),
            Code::Unauthenticated,
            "TOKEN_INVALID",
        ),
        (
            Some("e30.e30.".to_owned()),
            Code::Unauthenticated,
            "TOKEN_INVALID",
        ),
        (
            Some(token(&issuer, "test.other", "circles", 60)),
            Code::PermissionDenied,
            "SCOPE_MISSING",
        ),
    ] {
        let status = guarded.call(bad.as_deref()).await;
        assert_eq!(refused(&status), (code, reason.to_owned()), "{bad:?}");
    }
    // Probes have no token.
    guarded.server.readiness.set(true);
    let channel = guarded.server.connect().await;
    assert_eq!(health(channel, "test.v1.Slow").await, Ok(1));
}

#[tokio::test]
async fn keys_are_taken_from_their_file_when_it_changes() {
    let (before, after) = (Issuer::p256("before"), Issuer::rsa("after"));
    let guarded = Guarded::start("changed", &before, Options::default()).await;
    let old = token(&before, SCOPE, "circles", 600);
    let new = token(&after, SCOPE, "circles", 600);
    assert!(guarded.lets_in(&old).await);
    assert!(!guarded.lets_in(&new).await);
    fs::write(&guarded.keys, jwks(&[&before, &after])).unwrap();
    let let_in = async {
        while !guarded.lets_in(&new).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(let_in).await;
    assert!(guarded.lets_in(&old).await);
    // Taken back, though it was verified before.
    fs::write(&guarded.keys, after.jwks()).unwrap();
    let turned_away = async {
        while guarded.lets_in(&old).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(turned_away).await;
    assert!(guarded.lets_in(&new).await);
}

#[tokio::test]
async fn each_subject_has_a_rate_and_so_has_who_guesses() {
    let issuer = Issuer::ed25519("1");
    let options = Options {
        // One in ten seconds' time would be too slow for a test that fails, one a second is too fast for none.
        rate_per_client: NonZeroU32::new(1),
        ..Options::default()
    };
    let guarded = Guarded::start("rates", &issuer, options).await;
    let (one, other) = (issuer.bearer("one", SCOPE), issuer.bearer("other", SCOPE));
    // These have no audience: refused, and counted by their address.
    let bare = |bearer: &str| bearer.strip_prefix("Bearer ").unwrap().to_owned();
    let status = guarded.call(Some(&bare(&one))).await;
    assert_eq!(refused(&status).1, "TOKEN_INVALID");
    let too_fast =
        async { while refused(&guarded.call(Some(&bare(&other))).await).1 != "TOO_FAST" {} };
    soon(too_fast).await;
    // Who has a good one is not held up by them.
    assert!(guarded.lets_in(&token(&issuer, SCOPE, "circles", 60)).await);
}
