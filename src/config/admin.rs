//! Where health, metrics and the page of flows are: apart from the public port, and where only this machine reads it unless somebody insists.

use std::net::SocketAddr;

use super::layers::Layers;
use super::{Checker, Complaint, Config, Scope, listen_address};

impl Config {
    /// The public address and the admin address, whatever else may be wrong.
    #[must_use]
    pub fn places(layers: &Layers) -> (Option<SocketAddr>, Option<SocketAddr>) {
        let mut checker = Checker::new(layers, Scope::Process);
        let listen = checker.one("listen", listen_address);
        (listen, checker.admin(listen))
    }
}

impl Checker<'_> {
    pub(super) fn admin(&mut self, listen: Option<SocketAddr>) -> Option<SocketAddr> {
        let admin = self.optional("admin", |text| {
            // A port alone is this machine's: the page asks for no password.
            if text.starts_with(':') { listen_address(&format!("127.0.0.1{text}")) } else { listen_address(text) }
        })?;
        let value = self.values("admin").last().cloned()?;
        if listen == Some(admin) && admin.port() != 0 {
            return self.complain(&value, format!("`admin` cannot be `{admin}`: that is `listen`; take another port"));
        }
        if !admin.ip().is_loopback() && !self.switch("no_admin_page") {
            let message = format!(
                "everybody who reaches {admin} can read the page there, it asks for no password; write 127.0.0.1:{} to \
                 keep it to this machine, or no_admin_page = true to have health and metrics alone",
                admin.port()
            );
            self.warnings.push(Complaint { place: value.place, message });
        }
        Some(admin)
    }
}
