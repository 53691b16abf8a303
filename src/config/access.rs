//! Who may ask at all: addresses, networks, and vendors whose ranges are known.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Checker, Complaint};
use crate::admission::Admission;
use crate::endpoint::Class;
use crate::ranges;

impl Checker<'_> {
    /// Nothing: everybody.
    pub(super) fn admission(&mut self) -> Option<Admission> {
        let known = &self.layers.ranges;
        let networks: Vec<Vec<IpNet>> = self.many("access.allow", |text| {
            if let Some(vendor) = known.find(text) {
                if vendor.is_unknown() {
                    return Err(format!(
                        "no addresses are known of it; get {} and state the file in access.ranges_files (--ranges)",
                        vendor.source
                    ));
                }
                return Ok(vendor.egress.clone());
            }
            ranges::network(text)
                .map(|network| vec![network])
                .map_err(|wanted| format!("{wanted}, or one of {}", known.names()))
        });
        let classes = self.many("access.classes", |text| {
            Class::ALL.into_iter().find(|class| class.name() == text).ok_or_else(|| {
                let names: Vec<&str> = Class::ALL.iter().map(|class| class.name()).collect();
                format!("write one of {}", names.join(", "))
            })
        });
        (!self.values("access.allow").is_empty()).then(|| Admission::new(&networks.concat(), &classes))
    }

    /// On a loopback address all clients are of this machine, or behind a proxy of it.
    pub(super) fn warn_of_loopback(&mut self, admission: &Admission, listen: IpAddr, trusted_proxies: &[IpNet]) {
        let is_behind = trusted_proxies.iter().any(|network| network.contains(&listen));
        if listen.is_loopback() && !is_behind && !admission.admits(Some(listen)) {
            let place = self.values("access.allow").first().map(|value| value.place.clone()).unwrap_or_default();
            let message = format!(
                "nobody is let in: on {listen} every client's address is one of this machine; list the proxy before this \
                 one in trusted_proxies"
            );
            self.warnings.push(Complaint { place, message });
        }
    }
}
