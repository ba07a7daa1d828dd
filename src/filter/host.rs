//! Calls to the host. Octets come and go as octets: the SDK's getters for text trap on what is not UTF-8.

use std::net::{IpAddr, SocketAddr};
use std::time::UNIX_EPOCH;

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, Bytes, GrpcStatusCode, MapType, Status};

use crate::denial::Response;
use crate::numeric_date::NumericDate;

/// The configuration; empty where there is none.
pub fn configuration() -> Bytes {
    hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX).ok().flatten().unwrap_or_default()
}

/// The time. A host that has none gives the epoch, when no token is valid yet.
pub fn now() -> NumericDate {
    let since = hostcalls::get_current_time().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| NumericDate::from_seconds(since.as_secs_f64())).unwrap_or(NumericDate::EPOCH)
}

/// The address that the proxy settled on as the client's.
pub fn peer() -> Option<IpAddr> {
    let address = hostcalls::get_property(vec!["source", "address"]).ok().flatten()?;
    let address = std::str::from_utf8(&address).ok()?;
    address.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| address.parse()).ok()
}

/// All pairs of a map.
pub fn map(map: MapType) -> Result<Vec<(String, Bytes)>, Status> {
    hostcalls::get_map_bytes(map)
}

/// Takes all fields of a name out.
pub fn remove(map: MapType, name: &str) -> Result<(), Status> {
    hostcalls::remove_map_value(map, name)
}

/// Writes a field in place of all of its name.
pub fn replace(map: MapType, name: &str, value: &[u8]) -> Result<(), Status> {
    hostcalls::set_map_value_bytes(map, name, Some(value))
}

/// Answers the request.
pub fn respond(response: &Response) {
    let fields = response.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // A host that cannot answer keeps the request paused, so nothing passes.
    let _ = hostcalls::send_http_response(response.status.into(), fields, Some(response.body.as_bytes()));
}

/// Answers a gRPC call.
pub fn respond_grpc(response: &Response) {
    let code = match response.grpc_status {
        3 => GrpcStatusCode::InvalidArgument,
        7 => GrpcStatusCode::PermissionDenied,
        16 => GrpcStatusCode::Unauthenticated,
        _ => GrpcStatusCode::Unavailable,
    };
    let challenges = response.fields.iter().filter(|(name, _)| *name == "www-authenticate");
    let metadata = challenges.map(|(name, value)| (*name, value.as_bytes())).collect();
    let _ = hostcalls::send_grpc_response(code, Some(&response.grpc_message), metadata);
}
