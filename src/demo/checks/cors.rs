//! What a browser asks before a page may talk to the server (Fetch, CORS-preflight request).

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{Method, StatusCode};

use super::client::{Answer, Base};
use super::{MCP, PAGE, verdict};

/// The page's lists.
const METHODS: [&str; 3] = ["GET", "POST", "OPTIONS"];
const HEADERS: [&str; 4] = ["Content-Type", "Authorization", "MCP-Protocol-Version", "Mcp-Session-Id"];

/// OPTIONS of a discovery document, plain as in the page's command, and as browsers ask.
pub(super) async fn document_preflight(base: &Base, path: &str) -> Result<String, String> {
    let plain = base.ask(Method::OPTIONS, path).send().await?;
    let browser = base.ask(Method::OPTIONS, path).header(ORIGIN, PAGE).header(ACCESS_CONTROL_REQUEST_METHOD, "GET");
    let browser = browser.header(ACCESS_CONTROL_REQUEST_HEADERS, "mcp-protocol-version").send().await?;
    for answer in [plain, browser] {
        answer.expect(StatusCode::NO_CONTENT)?;
        if answer.only(ACCESS_CONTROL_ALLOW_ORIGIN) != Some("*") {
            return Err(format!("204, {}", allowed(&answer)));
        }
        if let Some(method) = METHODS.iter().find(|method| !answer.lists(ACCESS_CONTROL_ALLOW_METHODS, method)) {
            return Err(format!("204, lacks {method}"));
        }
        if let Some(header) = HEADERS.iter().find(|header| !answer.lists(ACCESS_CONTROL_ALLOW_HEADERS, header)) {
            return Err(format!("204, lacks {header}"));
        }
    }
    Ok("204, *, methods, headers".to_owned())
}

/// GET of a discovery document by a page.
pub(super) async fn document_for_a_page(base: &Base, path: &str) -> Result<String, String> {
    let answer = base.ask(Method::GET, path).header(ORIGIN, PAGE).send().await?;
    answer.expect(StatusCode::OK)?;
    verdict(answer.only(ACCESS_CONTROL_ALLOW_ORIGIN) == Some("*"), "200, *", || format!("200, {}", allowed(&answer)))
}

/// The preflight of a tool call by a page.
pub(super) async fn mcp_preflight(base: &Base) -> Result<String, String> {
    let asked = "authorization,content-type,mcp-protocol-version,mcp-session-id";
    let ask = base.ask(Method::OPTIONS, MCP).header(ORIGIN, PAGE).header(ACCESS_CONTROL_REQUEST_METHOD, "POST");
    let answer = ask.header(ACCESS_CONTROL_REQUEST_HEADERS, asked).send().await?;
    if !answer.status.is_success() {
        return Err(answer.status.as_u16().to_string());
    }
    if answer.only(ACCESS_CONTROL_ALLOW_ORIGIN) != Some(PAGE) {
        return Err(allowed(&answer));
    }
    // By name: `*` never covers Authorization (Fetch section 4.9).
    let missing = asked.split(',').find(|name| !answer.lists(ACCESS_CONTROL_ALLOW_HEADERS, name));
    verdict(missing.is_none(), &format!("{}, origin and headers right", answer.status.as_u16()), || {
        format!("lacks {}", missing.unwrap_or_default())
    })
}

fn allowed(answer: &Answer) -> String {
    match answer.only(ACCESS_CONTROL_ALLOW_ORIGIN) {
        Some(origin) => format!("allows {origin}"),
        None => "no Allow-Origin".to_owned(),
    }
}
