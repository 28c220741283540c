//! Readiness and liveness as answers of a handler. Feature `axum`.

use ::axum::http::StatusCode;
use ::axum::http::header::CACHE_CONTROL;
use ::axum::response::{IntoResponse, Response};

use crate::service::{Liveness, Readiness};

/// 200 if the service is ready, else 503, with [`Display`](std::fmt::Display) as the text.
///
/// ```
/// # fn example(service: zk_roster::RunningService) -> axum::Router {
/// use axum::Router;
/// use axum::routing::get;
///
/// let ready = service.clone();
/// Router::new()
///     .route("/ready", get(async move || ready.readiness()))
///     .route("/live", get(async move || service.liveness()))
/// # }
/// ```
impl IntoResponse for Readiness {
    fn into_response(self) -> Response {
        answer(self.is_ready(), self.to_string())
    }
}

/// 200 if the service is alive, else 503, with [`Display`](std::fmt::Display) as the text.
impl IntoResponse for Liveness {
    fn into_response(self) -> Response {
        answer(self.is_alive(), self.to_string())
    }
}

fn answer(is_good: bool, text: String) -> Response {
    let status = if is_good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // It is true for this moment only.
    (status, [(CACHE_CONTROL, "no-store")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn said(response: Response) -> (u16, String) {
        let status = response.status().as_u16();
        let text = ::axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
        (status, String::from_utf8(text.into()).unwrap())
    }

    #[tokio::test]
    async fn the_status_says_whether_and_the_text_says_why() {
        let sick = Readiness::Sick("the disk is full".into());
        assert_eq!(said(sick.into_response()).await, (503, "sick: the disk is full".into()));
        assert_eq!(said(Readiness::Ready.into_response()).await, (200, "ready".into()));
        assert_eq!(said(Liveness::Alive.into_response()).await, (200, "alive".into()));
        assert_eq!(said(Liveness::LinkClosed.into_response()).await.0, 503);
    }
}
