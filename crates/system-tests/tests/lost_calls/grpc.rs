//! A unary call of gRPC, through whatever stands for a channel.

use bytes::Bytes;
use tonic::client::GrpcService;
use tonic::codegen::{Body, StdError};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Asks for the health of the service.
pub(crate) async fn check<C>(channel: C) -> Result<(), String>
where
    C: GrpcService<tonic::body::Body>,
    C::Error: Into<StdError>,
    C::ResponseBody: Body<Data = Bytes> + Send + 'static,
    <C::ResponseBody as Body>::Error: Into<StdError> + Send,
{
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
    answer.map(drop).map_err(|status| format!("{:?}: {}", status.code(), status.message()))
}
