//! Man pages and completions come out of the built program.

use crate::kit::run;

#[tokio::test]
async fn pages_and_completions_come_out() {
    let (code, page, _) = run(&["man"]).await;
    assert!(code == 0 && page.contains(".TH \"mcp-mend\" \"1\"") && page.contains("EXIT STATUS"), "{page}");
    let (code, page, _) = run(&["man", "check"]).await;
    assert!(code == 0 && page.contains(".TH \"mcp-mend-check\" \"1\""), "{page}");
    for shell in ["bash", "zsh", "fish"] {
        let (code, text, _) = run(&["completions", shell]).await;
        assert!(code == 0 && text.contains("drain-seconds"), "{shell}: {text}");
    }
    let (code, _, errors) = run(&["man", "chekc"]).await;
    assert!(code == 2 && errors.contains("write one of"), "{errors}");
    assert_eq!(run(&["completions", "tcsh"]).await.0, 2);
}
