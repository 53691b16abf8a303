//! Socket files, and sockets that the service manager has opened.

use std::fs::{self, Permissions};
use std::io::{self, Error, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use socket2::{Domain, SockAddr, Socket, Type};

use super::Listener;

/// The owner and the group may connect: whoever runs the web server before it is put into the group.
const MODE: u32 = 0o660;

/// Our socket's file. It goes when this is dropped, unless another process has put its own there.
pub(in crate::server) struct SocketFile {
    path: PathBuf,
    place: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if place_of(&self.path).is_ok_and(|place| place == self.place) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn place_of(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// A listener at a path.
pub(super) fn bind(path: &Path, backlog: i32) -> io::Result<(UnixListener, SocketFile)> {
    make_room(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile { path: path.to_owned(), place: place_of(path)? };
    // Before anybody can connect.
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok((socket.into(), file))
}

/// Takes a socket away that a process has left behind. Nothing else is touched.
fn make_room(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket; write another path"));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(Error::new(ErrorKind::AddrInUse, "another process answers there; stop it or write another path")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// The sockets that systemd has passed on (sd_listen_fds(3)), and what they are called.
pub(super) fn passed_on() -> io::Result<(Vec<Listener>, Vec<String>)> {
    let mut passed = ListenFd::from_env();
    let (mut listeners, mut names) = (Vec::new(), Vec::new());
    for index in 0..passed.len() {
        if let Ok(Some(listener)) = passed.take_tcp_listener(index) {
            listener.set_nonblocking(true)?;
            names.push(listener.local_addr()?.to_string());
            listeners.push(Listener::Tcp(listener));
        } else if let Ok(Some(listener)) = passed.take_unix_listener(index) {
            listener.set_nonblocking(true)?;
            let path = listener.local_addr()?.as_pathname().map(|path| path.display().to_string());
            names.push(format!("unix:{}", path.unwrap_or_default()));
            listeners.push(Listener::Unix(listener));
        } else {
            let wanted = "a socket that was passed on is no stream that listens; write ListenStream= and Accept=no";
            return Err(Error::new(ErrorKind::InvalidInput, wanted));
        }
    }
    if listeners.is_empty() {
        let wanted = "no socket was passed on (LISTEN_FDS); start it by a .socket unit, or write an address";
        return Err(Error::new(ErrorKind::NotFound, wanted));
    }
    Ok((listeners, names))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn what_is_left_behind_is_replaced_and_nothing_else() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x.sock");
        let (first, file) = bind(&path, 8).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(bind(&path, 8).err().unwrap().kind(), ErrorKind::AddrInUse);
        // Its process has gone without a word.
        drop(first);
        std::mem::forget(file);
        let (second, file) = bind(&path, 8).unwrap();
        UnixStream::connect(&path).unwrap();
        drop((second, file));
        assert!(!path.exists());

        fs::write(&path, "precious").unwrap();
        assert_eq!(bind(&path, 8).err().unwrap().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_socket_that_another_has_put_there_stays() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x.sock");
        let (listener, file) = bind(&path, 8).unwrap();
        fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        drop((listener, file));
        assert!(path.exists());
        drop(other);
    }
}
