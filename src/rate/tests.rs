use std::net::Ipv4Addr;

use governor::clock::FakeRelativeClock;

use super::*;

fn rate(per_minute: u32, most: usize) -> (Rate<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    (Rate::on_clock(per_minute, most, clock.clone()).unwrap(), clock)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_minutes_worth_passes_at_once_and_one_more_waits() {
    let (rate, clock) = rate(6, 100);
    let client = ip("192.0.2.1");
    for _ in 0..6 {
        assert_eq!(rate.check(client), Ok(()));
    }
    assert_eq!(rate.check(client), Err(10));
    assert_eq!(rate.check(ip("192.0.2.2")), Ok(()));
    clock.advance(Duration::from_millis(9_500));
    // Rounded up: who comes back after the seconds that were named is let in.
    assert_eq!(rate.check(client), Err(1));
    clock.advance(Duration::from_secs(1));
    assert_eq!((rate.check(client), rate.check(client)), (Ok(()), Err(10)));
}

#[test]
fn what_is_not_limited_is_not_counted() {
    let rates = Rates::new(0, 1);
    let of = |class| Classes::of(&[class]);
    assert!(!rates.counts(of(Class::Register)) && rates.counts(of(Class::Token)) && !rates.counts(of(Class::Mcp)));
    for _ in 0..10 {
        assert_eq!(rates.check(of(Class::Register), ip("192.0.2.1"), true), Ok(()));
        assert_eq!(rates.check(of(Class::Mcp), ip("192.0.2.1"), true), Ok(()));
    }
    assert_eq!(rates.check(of(Class::Token), ip("192.0.2.1"), true), Ok(()));
    assert_eq!(rates.check(of(Class::Token).with(Class::Other), ip("192.0.2.1"), true), Err(60));
}

#[test]
fn a_client_of_this_machine_is_left_out_only_if_it_is_surely_one() {
    let token = Classes::of(&[Class::Token]);
    let rates = Rates::new(1, 1).sparing_local([false, true]);
    for _ in 0..10 {
        assert_eq!(rates.check(token, ip("127.0.0.1"), true), Ok(()));
    }
    assert_eq!(rates.check(token, ip("127.0.0.1"), false), Ok(()));
    assert_eq!(rates.check(token, ip("127.0.0.1"), false), Err(60));
}

#[test]
fn an_ipv6_client_is_its_network() {
    let (rate, _) = rate(1, 100);
    assert_eq!(rate.check(ip("2001:db8:0:1::1")), Ok(()));
    assert!(rate.check(ip("2001:db8:0:1:ffff::2")).is_err());
    assert_eq!(rate.check(ip("2001:db8:0:2::1")), Ok(()));
    assert_eq!(rate.check(ip("192.0.2.1")), Ok(()));
    assert!(rate.check(ip("::ffff:192.0.2.1")).is_err());
}

#[test]
fn a_flood_of_addresses_stays_within_its_room() {
    let (rate, clock) = rate(2, 1000);
    let known = ip("192.0.2.1");
    assert_eq!(rate.check(known), Ok(()));
    let mut passed = 0;
    for number in 0..100_000_u32 {
        passed += u32::from(rate.check(Ipv4Addr::from(0x0b00_0000 + number).into()).is_ok());
    }
    // All that found no room shared one place.
    assert_eq!((rate.limiter.len(), passed), (1001, 999 + 2));
    assert_eq!((rate.check(known), rate.check(known)), (Ok(()), Err(30)));
    // Who has been quiet for long enough is forgotten, and there is room again.
    clock.advance(Duration::from_secs(91));
    assert_eq!(rate.check(ip("198.51.100.1")), Ok(()));
    assert_eq!(rate.limiter.len(), 1);
    assert!(rate.limiter.into_state_store().seen.into_inner().unwrap().capacity() < 1000);
}

#[test]
fn whoever_may_not_ask_yet_is_not_forgotten() {
    let (rate, clock) = rate(1, 100);
    assert_eq!(rate.check(ip("192.0.2.1")), Ok(()));
    clock.advance(Duration::from_secs(50));
    assert_eq!(rate.check(ip("192.0.2.1")), Err(10));
    assert_eq!(rate.limiter.len(), 1);
}

#[test]
fn clients_of_this_machine_are_counted_unless_they_are_spared() {
    let (register, token) = (Classes::of(&[Class::Register]), Classes::of(&[Class::Token]));
    for (spares, expected) in [(true, Ok(())), (false, Err(60))] {
        let rates = Rates::new(1, 1).sparing_local([spares, false]);
        for local in ["127.0.0.1", "::1", "::ffff:127.0.0.2"] {
            let local: IpAddr = local.parse().unwrap();
            assert_eq!(rates.check(register, local, true), Ok(()));
            assert_eq!(rates.check(register, local, true), expected, "{local}");
            let _ = rates.check(token, local, true);
            assert!(rates.check(token, local, true).is_err());
        }
        let other = "192.0.2.1".parse().unwrap();
        assert_eq!(rates.check(register, other, true), Ok(()));
        assert!(rates.check(register, other, true).is_err());
    }
}
