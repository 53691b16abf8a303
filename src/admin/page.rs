//! The page, and what the browser may do for it: run this script, use this style, ask this listener. Nothing else.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

/// One file, with its style and script in it.
pub const PAGE: &str = include_str!("page.html");

/// The policy of the page: its script and style by their hashes, so that no other text is ever run.
pub static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| HeaderValue::from_str(&policy(PAGE)?).ok());

fn policy(page: &str) -> Option<String> {
    let hash = |element: &str| {
        let (_, rest) = page.split_once(&format!("<{element}>"))?;
        let (text, _) = rest.split_once(&format!("</{element}>"))?;
        Some(STANDARD.encode(Sha256::digest(text)))
    };
    let (script, style) = (hash("script")?, hash("style")?);
    Some(format!(
        "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; connect-src 'self'; \
         img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_script_and_one_style_and_the_policy_names_them() {
        for element in ["<script", "<style"] {
            assert_eq!(PAGE.matches(element).count(), 1, "{element}");
        }
        assert!(POLICY.is_some());
        // The empty text's hash is known (FIPS 180-4 examples): the right part is taken.
        let empty = policy("<style></style><script></script>").unwrap();
        assert_eq!(empty.matches("'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='").count(), 2, "{empty}");
        assert_eq!(policy("<style></style>"), None);
    }

    #[test]
    fn the_page_needs_nothing_else_and_never_parses_data_as_html() {
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            " style=\"",
            "onclick=",
            "<link rel=\"stylesheet",
            "@import",
            "url(",
            "src=",
            "https://",
        ] {
            assert!(!PAGE.contains(forbidden), "{forbidden}");
        }
    }
}
