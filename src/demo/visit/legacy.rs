//! How clients of the HTTP+SSE transport meet its defects (catalogue 4G).

use std::time::Duration;

use http::Method;
use http::header::ACCEPT;

use super::session::{Client, initialize};
use super::{Came, Visit};
use crate::demo::client::Base;
use crate::demo::events::{endpoint, has_message};
use crate::endpoint::LEGACY_SSE;

/// How long a client waits for an event.
const PATIENCE: Duration = Duration::from_secs(3);

visits! {
    STRANGER = stranger;
    ENDPOINT = endpoint_named;
    INITIALIZE = initialized;
}

/// A stream without a token.
async fn stranger(base: &Base) -> Came {
    let mut stream = base.ask(Method::GET, LEGACY_SSE).header(ACCEPT, "text/event-stream").open().await?;
    stream.read(PATIENCE, |text| !text.is_empty()).await;
    Ok(stream.close())
}

/// The stream, up to where it says where messages go.
async fn endpoint_named(base: &Base) -> Came {
    let client = Client::logged_in(base).await?;
    let mut stream = client.at(Method::GET, LEGACY_SSE).header(ACCEPT, "text/event-stream").open().await?;
    stream.read(PATIENCE, |text| endpoint(text).is_some()).await;
    Ok(stream.close())
}

/// The first message; its answer comes on the stream.
async fn initialized(base: &Base) -> Came {
    let client = Client::logged_in(base).await?;
    let mut stream = client.at(Method::GET, LEGACY_SSE).header(ACCEPT, "text/event-stream").open().await?;
    stream.read(PATIENCE, |text| endpoint(text).is_some()).await;
    let to = endpoint(stream.text().as_bytes()).ok_or("no endpoint event")?;
    let to = base.target(&to).map_or(to.clone(), str::to_owned);
    let taken = client.at(Method::POST, &to).json(&initialize("2024-11-05")).send().await?;
    if !taken.status.is_success() {
        return Ok(taken);
    }
    stream.read(PATIENCE, has_message).await;
    Ok(stream.close())
}
