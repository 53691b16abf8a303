//! Reading the files of `seal.key_files`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::config::Complaint;
use crate::config::layers::Layers;
use crate::seal::{SHORTEST_SECRET, SealKeys};

/// More bytes than any secret has that people or programs write.
const LONGEST_SECRET: u64 = 64 * 1024;

/// Reads the secrets that `seal.key_files` names. Every file that cannot be used is a complaint at the place of the setting.
pub fn take_keys(layers: &mut Layers, complaints: &mut Vec<Complaint>) {
    let values = layers.given.get("seal.key_files").map(|given| given.values.clone()).unwrap_or_default();
    let mut secrets = Vec::with_capacity(values.len());
    for value in values {
        match secret(Path::new(&value.text)) {
            Ok(secret) => secrets.push(secret),
            Err(why) => {
                let message = format!("`seal.key_files` cannot have `{}`: {why}", value.text);
                complaints.push(Complaint { place: value.place, message });
            }
        }
    }
    layers.seal = SealKeys::of(&secrets);
}

/// The secret in a file, without the white space around it.
fn secret(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error| format!("it cannot be read: {error}; make one with `openssl rand -base64 32`");
    // A pipe would be waited for when it is opened.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("it is no file; write the path of a file that holds the secret".into());
    }
    let file = File::open(path).map_err(unreadable)?;
    check_mode(&file.metadata().map_err(unreadable)?)?;
    let mut content = Vec::new();
    file.take(LONGEST_SECRET + 1).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() as u64 > LONGEST_SECRET {
        return Err(format!("it has more than {LONGEST_SECRET} bytes; write a file that holds one secret alone"));
    }
    let secret = content.trim_ascii();
    if secret.len() < SHORTEST_SECRET {
        let length = secret.len();
        return Err(format!(
            "it holds {length} bytes, and {SHORTEST_SECRET} are the fewest; make one with `openssl rand -base64 32`"
        ));
    }
    Ok(secret.to_vec())
}

/// Who can read the secret can open and make session ids. The mode is that of the file behind a symbolic link.
#[cfg(unix)]
fn check_mode(metadata: &std::fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o007 == 0 {
        return Ok(());
    }
    Err(format!(
        "everybody on this machine may use it (mode {mode:04o}); run `chmod o= FILE` (of a Kubernetes secret: \
         `defaultMode: 0440` and an `fsGroup`)"
    ))
}

#[cfg(not(unix))]
fn check_mode(_: &std::fs::Metadata) -> Result<(), String> {
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use super::*;
    use crate::config::Config;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn file(dir: &Path, name: &str, content: &[u8], mode: u32) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn all_that_is_wrong_with_key_files_is_said_at_once_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let good = file(dir.path(), "good", format!("\n{SECRET}\n").as_bytes(), 0o640);
        let short = file(dir.path(), "short", format!("{}\n\n", &SECRET[1..]).as_bytes(), 0o600);
        let open = file(dir.path(), "open", SECRET.as_bytes(), 0o604);
        let long = file(dir.path(), "long", &[b'a'; 65_537], 0o600);
        let (missing, link) = (dir.path().join("missing"), dir.path().join("link"));
        symlink(&open, &link).unwrap();
        let all = [&good, &missing, &short, &open, &link, &long, &dir.path().to_owned()];
        let lines = all.map(|path| format!("  {:?},\n", path.display().to_string())).concat();
        let text = format!("upstream = \"http://a\"\nthreads = -1\n[seal]\nkey_files = [\n{lines}]\n");
        let (mut layers, mut complaints) = (Layers::default(), Vec::new());
        layers.take_file("p.toml", &text, &mut complaints);
        take_keys(&mut layers, &mut complaints);
        let said: Vec<String> =
            Config::check(&layers, complaints).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 7, "{said:#?}");
        for (said, place, why) in [
            (&said[0], "p.toml:2", "threads"),
            (&said[1], "p.toml:6", "it cannot be read: No such file"),
            (&said[2], "p.toml:7", "it holds 31 bytes, and 32 are the fewest; make one with `openssl rand -base64 32`"),
            (&said[3], "p.toml:8", "(mode 0604); run `chmod o= FILE`"),
            (&said[4], "p.toml:9", "(mode 0604)"),
            (&said[5], "p.toml:10", "more than 65536 bytes"),
            (&said[6], "p.toml:11", "it is no file"),
        ] {
            assert!(said.starts_with(place) && said.contains(why) && !said.contains(&SECRET[1..]), "{said}");
        }
    }

    #[test]
    fn white_space_around_a_secret_is_no_part_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let sealed = |content: &str| {
            let path = file(dir.path(), "key", content.as_bytes(), 0o600);
            let mut layers = Layers::default();
            let text = format!("seal.key_files = [{:?}]", path.display().to_string());
            layers.take_file("p.toml", &text, &mut Vec::new());
            let mut complaints = Vec::new();
            take_keys(&mut layers, &mut complaints);
            assert_eq!(complaints, []);
            layers.seal.seal(&["a"], b"b").unwrap()
        };
        assert_eq!(sealed(SECRET), sealed(&format!("  {SECRET}\r\n")));
        assert_ne!(sealed(SECRET), sealed(&format!("{SECRET}.")));
    }
}
