//! What an exchange that passes says about lessons (`lesson`), and what has to be read of it for that.

use http::Method;

use super::Exchange;
use crate::endpoint::Class;
use crate::exchange::{Ask, Reply, Request};
use crate::learn;
use crate::lesson::response::Brought;
use crate::lesson::{Heard, message, response};

impl Exchange {
    /// What the upstream's first answer says. `has_moved`: whether the message went to where messages moved to.
    pub(super) fn listen(&self, request: &Request, reply: &Reply, brought: Option<&Brought>, has_moved: bool) {
        let runtime = self.runtime();
        match (request.class, brought) {
            (Class::Mcp, _) => {
                self.hear(message::probe(request, reply));
                if has_moved {
                    self.hear(message::still_moved(request, reply));
                }
            }
            (_, Some(brought)) => self.hear(response::heard(&self.site(runtime), brought, request, reply)),
            (_, None) => {}
        }
    }

    /// What the better answer to a further ask says.
    pub(super) fn listen_again(&self, request: &Request, first: &Reply, ask: &Ask) {
        let Some(target) = ask.target.as_deref().filter(|_| request.class == Class::Mcp) else { return };
        self.hear(message::moved(&self.runtime().facts.mcp_path, request, first.status, target));
    }

    pub(super) fn hear(&self, heard: Option<Heard>) {
        if let Some(heard) = heard {
            learn::hear(&self.worker.runtime, &self.worker.upstream, heard);
        }
    }

    /// Whether this may be the form of a login page: what it brings along decides what its answer may teach.
    pub(super) fn is_form_of_login(&self, request: &Request) -> bool {
        let is_post = request.method == Method::POST;
        let may_answer = matches!(request.class, Class::Authorize | Class::Other);
        is_post && may_answer && self.known.has_own_authorization_server()
    }

    /// Whether the answer depends on what is known of the login, before the upstream is asked: a stream that a stranger
    /// opens.
    pub(super) fn depends_on_login(&self, request: &Request) -> bool {
        request.class == Class::Mcp && matches!(request.method, Method::GET | Method::HEAD) && !request.authorized
    }
}
