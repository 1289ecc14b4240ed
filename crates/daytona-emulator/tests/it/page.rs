//! The status page, in a browser.

use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Operation, Script, SeededSnapshot};
use serde_json::json;

use crate::http::{address, ask};
use crate::image::archive;
use browser::Browser;

mod browser;

/// An emulator with something of everything, in the middle of a build.
async fn busy() -> Emulator {
    let emulator = Emulator::start().await.unwrap();
    let key = format!("{}/one/context.tar", emulator.organization_id());
    let members: [(&str, u32, &[u8]); 2] = [("app/main.py", 0o644, b"print()"), ("app/run.sh", 0o755, b"#!")];
    emulator.put_object(&key, &archive(&members)).unwrap();
    emulator.script(Script::for_dockerfile("slow").takes(Duration::from_secs(50)));
    emulator.inject(Fault::status(503).on(Operation::GetPushAccess).nth(3));
    let headers = format!(
        "authorization: Bearer {}\r\ncontent-type: application/json\r\n",
        emulator.api_key()
    );
    for (name, line) in [
        ("my-app", "RUN exit 0"),
        ("<b>odd</b>", "RUN true"),
        ("broken", "RUN exit 7"),
        ("slow", "RUN slow"),
    ] {
        let dockerfile = format!("FROM alpine:3.20\nCOPY app /app/\n{line}\n");
        let body = json!({"name": name, "buildInfo": {"dockerfileContent": dockerfile, "contextHashes": ["one"]}});
        ask(
            address(&emulator.api_url()),
            "POST",
            "/api/snapshots",
            &headers,
            &body.to_string(),
        )
        .await;
    }
    emulator.clock().advance(Duration::from_secs(30));
    emulator
}

#[tokio::test]
async fn a_browser_gets_the_page_and_anybody_else_what_the_server_says() {
    let emulator = busy().await;
    let address = address(&emulator.api_url());
    let page = ask(address, "GET", "/", "accept: text/html,*/*\r\n", "").await;
    assert_eq!(page.status, 200);
    for text in [
        "my-app",
        "broken",
        "&lt;b&gt;odd",
        "one/context.tar",
        "getPushAccess",
        "POST /api/snapshots",
    ] {
        assert!(
            page.body.contains(text) || text.starts_with("&lt;"),
            "{text}: {}",
            page.body
        );
    }
    assert!(!page.body.contains(emulator.api_key()) && !page.body.contains(emulator.admin_key()));
    assert!(!page.body.contains("<b>odd"));
    assert_eq!(ask(address, "GET", "/", "", "").await.status, 302);
    assert_eq!(ask(address, "GET", "/dashboard/", "", "").await.status, 200);
    assert_eq!(
        ask(address, "GET", "/dashboard/snapshots/none", "", "").await.status,
        404
    );
    let image = emulator.image("my-app").await.unwrap();
    assert_eq!(image.file("/app/run.sh").unwrap().mode, 0o755);
}

/// A page of somebody else, whose name was made to point here, gets nothing.
#[tokio::test]
async fn the_page_is_not_shown_under_a_name() {
    let emulator = Emulator::start().await.unwrap();
    let address = address(&emulator.api_url());
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = "GET /dashboard/ HTTP/1.1\r\nhost: evil.example:80\r\nconnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes())
        .await
        .unwrap();
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut text)
        .await
        .unwrap();
    assert!(text.starts_with("HTTP/1.1 403"), "{text}");
}

#[tokio::test]
async fn the_page_can_be_used_with_the_keyboard_and_follows_a_build() {
    let emulator = busy().await;
    let Some(browser) = Browser::start(false).await else {
        return;
    };
    let page = emulator.api_url().replace("/api", "/");
    browser.open(&page).await;
    assert_eq!(browser.run("document.querySelectorAll('tbody th a').length").await, 3);
    // The first stop is the way past the header; it becomes visible, and leads there.
    browser.press("\u{e004}").await;
    assert_eq!(browser.run("document.activeElement.className").await, "skip");
    assert!(
        browser
            .run("document.activeElement.getBoundingClientRect().left")
            .await
            .as_f64()
            .unwrap()
            >= 0.0
    );
    browser.press("\u{e007}").await;
    // From there stops: the states, the filter, the table, which scrolls, and the newest snapshot.
    let mut stops = Vec::new();
    while stops.last().is_none_or(|stop| stop != "slow") && stops.len() < 12 {
        browser.press("\u{e004}").await;
        stops.push(browser.run("document.activeElement.textContent").await);
    }
    assert_eq!(stops.last().unwrap(), "slow", "{stops:?}");
    let outline = browser
        .run("getComputedStyle(document.activeElement).outlineStyle")
        .await;
    assert_eq!(outline, "solid");
    browser.press("\u{e007}").await;
    browser
        .until("document.querySelector('h1')?.textContent.startsWith('slow')")
        .await;
    // The log grows while the page is open.
    browser
        .until("document.getElementById('log').textContent.includes('[3/3] RUN slow')")
        .await;
    assert_eq!(
        browser
            .run("document.getElementById('log').textContent.includes('exporting')")
            .await,
        false
    );
    emulator.clock().advance(Duration::from_mins(3));
    browser
        .until("document.getElementById('log').textContent.includes('exporting to image')")
        .await;
    browser.open(&page).await;
    emulator.inject(Fault::disconnect().on(Operation::HeadObject));
    browser.until("document.body.textContent.includes('headObject')").await;
}

#[tokio::test]
async fn the_page_can_be_read_on_a_phone_in_the_dark() {
    let emulator = busy().await;
    let Some(browser) = Browser::start(true).await else {
        return;
    };
    let page = emulator.api_url().replace("/api", "/");
    browser.resize(360, 740).await;
    browser.open(&page).await;
    assert_eq!(
        browser.run("matchMedia('(prefers-color-scheme: dark)').matches").await,
        true
    );
    assert_eq!(
        browser.run("getComputedStyle(document.body).backgroundColor").await,
        "rgb(20, 23, 29)"
    );
    let id = browser
        .run("document.querySelector('tbody th a').getAttribute('href')")
        .await;
    for path in ["/dashboard/", id.as_str().unwrap()] {
        browser.open(&format!("{}{path}", page.trim_end_matches('/'))).await;
        // Nothing sticks out but what scrolls by itself.
        let width = browser
            .run("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
            .await;
        assert!(width[0].as_u64() <= width[1].as_u64(), "{path}: {width}");
        let size = browser
            .run("parseFloat(getComputedStyle(document.body).fontSize)")
            .await;
        assert!(size.as_f64().unwrap() >= 16.0);
    }
    // Every text stands out from what is behind it.
    let contrast = browser
        .run(
            "(() => { const light = (color) => { const [r, g, b] = color.match(/\\d+/g).slice(0, 3).map((part) => { const x = part / 255; \
             return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; }; \
             const behind = light(getComputedStyle(document.body).backgroundColor); \
             return Math.min(...[...document.querySelectorAll('main *')].map((element) => { \
             const ink = light(getComputedStyle(element).color); \
             return (Math.max(ink, behind) + 0.05) / (Math.min(ink, behind) + 0.05); })); })()",
        )
        .await;
    assert!(contrast.as_f64().unwrap() >= 4.5, "{contrast}");
}

async fn shown(emulator: &Emulator, path: &str) -> String {
    let page = ask(address(&emulator.api_url()), "GET", path, "accept: text/html\r\n", "").await;
    assert_eq!(page.status, 200, "{path}");
    page.body
}

#[tokio::test]
async fn an_empty_page_says_how_to_begin_and_the_picture_is_no_request() {
    let emulator = Emulator::start().await.unwrap();
    let page = shown(&emulator, "/").await;
    assert!(
        page.contains(&format!("DAYTONA_API_URL={}", emulator.api_url())),
        "{page}"
    );
    assert!(
        page.contains("DAYTONA_API_KEY=") && !page.contains(emulator.api_key()),
        "{page}"
    );
    assert!(shown(&emulator, "/favicon.ico").await.starts_with("<svg"));
    assert!(emulator.requests().is_empty());
}

#[tokio::test]
async fn the_newest_is_first_and_states_are_counted_and_chosen() {
    let emulator = Emulator::start().await.unwrap();
    let at = |day: i64| jiff::Timestamp::from_second(1_770_000_000 + day * 86_400).unwrap();
    for (name, day, state) in [("second", 2, "active"), ("third", 3, "error"), ("first", 1, "active")] {
        let snapshot = SeededSnapshot::from_image(name, "a:1").created(at(day)).state(state);
        emulator.add_snapshot(snapshot.error_reason("the reason\nin two lines"));
    }
    let names = |page: &str| {
        let rows = page.split("<th scope=\"row\">").skip(1);
        let names = rows.map(|row| row.split('>').nth(1).unwrap().split('<').next().unwrap().to_owned());
        names.collect::<Vec<String>>()
    };
    let page = shown(&emulator, "/dashboard/").await;
    assert_eq!(names(&page), ["third", "second", "first"]);
    assert!(
        page.contains("active</span> 2") && page.contains("error</span> 1"),
        "{page}"
    );
    assert!(page.contains("the reason") && !page.contains("in two lines"), "{page}");
    for (query, expected) in [
        ("?state=active", &["second", "first"][..]),
        ("?name=ir", &["third", "first"]),
        ("?name=ir&state=error", &["third"]),
        ("?name=%3Cb%3E", &[]),
    ] {
        let page = shown(&emulator, &format!("/dashboard/{query}")).await;
        assert_eq!(names(&page), expected, "{query}");
        assert!(!page.contains("<b>"), "{page}");
    }
}

#[tokio::test]
async fn a_failure_is_explained_where_it_is_seen_first() {
    let emulator = busy().await;
    let id = |name: &str| {
        let page = shown(&emulator, "/dashboard/");
        let name = name.to_owned();
        async move {
            let page = page.await;
            let end = page.find(&format!("\">{name}</a>")).unwrap();
            page[..end].rsplit("/dashboard/").next().unwrap().to_owned()
        }
    };
    let page = shown(&emulator, &format!("/dashboard/{}", id("broken").await)).await;
    let main = page.split("<main").nth(1).unwrap();
    let (reason, log) = (main.find("exit code: 7").unwrap(), main.find("Build log").unwrap());
    let end = main.find("The end of the build log").unwrap();
    assert!(reason < end && end < log, "{main}");
    assert!(main.contains(">Created<") && main.contains("after "), "{main}");
    let page = shown(&emulator, &format!("/dashboard/{}", id("slow").await)).await;
    assert!(page.contains("in progress for "), "{page}");
}

/// What there is nothing to say of has no place on the page.
#[tokio::test]
async fn a_page_has_no_empty_rows() {
    let emulator = Emulator::start().await.unwrap();
    let ids = [1, 2].map(|number| format!("00000000-0000-4000-8000-00000000000{number}"));
    emulator.add_snapshot(SeededSnapshot::from_dockerfile("one", "FROM a:1\nRUN make\nENTRYPOINT []\n").id(&ids[0]));
    emulator.add_snapshot(
        SeededSnapshot::from_image("two", "a:1")
            .entrypoint(["sleep", "9"])
            .id(&ids[1]),
    );
    let page = shown(&emulator, &format!("/dashboard/snapshots/{}", ids[0])).await;
    let main = page.split("<main").nth(1).unwrap();
    assert!(main.contains("Not known: ") && !main.contains("0 files"), "{main}");
    assert!(!main.contains(">Entrypoint<"), "{main}");
    let page = shown(&emulator, &format!("/dashboard/snapshots/{}", ids[1])).await;
    assert!(page.contains(">Entrypoint<") && page.contains("sleep 9"), "{page}");
}

/// With 200 snapshots of long names, on a screen and on a phone: names leave room, dates are in one line and can be seen.
#[tokio::test]
async fn two_hundred_snapshots_can_be_read() {
    let emulator = Emulator::start().await.unwrap();
    for number in 0..200 {
        let name = format!("a-rather-long-name-of-a-snapshot-in-continuous-integration-{number:03}");
        emulator.add_snapshot(SeededSnapshot::from_dockerfile(
            name,
            "FROM registry.example/team/base:1\n",
        ));
    }
    let long = format!("/api/snapshots/none?{}", "x".repeat(300));
    ask(address(&emulator.api_url()), "GET", &long, "", "").await;
    for dark in [false, true] {
        let Some(browser) = Browser::start(dark).await else {
            return;
        };
        browser.open(&emulator.api_url().replace("/api", "/")).await;
        for width in [1280, 400] {
            browser.resize(width, 800).await;
            let rows = browser
                .run("document.querySelectorAll('.snapshots tbody tr').length")
                .await;
            assert_eq!(rows, 200);
            let sticks_out = browser
                .run("[...document.querySelectorAll('.snapshots .date')].some((date) => { const box = date.getBoundingClientRect(); \
                      return box.right > innerWidth || box.height > 30 || box.width === 0; })")
                .await;
            assert_eq!(sticks_out, false, "{width}");
            let share = browser
                .run(
                    "(() => { const table = document.querySelector('.snapshots'); \
                      return table.querySelector('tbody th').clientWidth / table.clientWidth; })()",
                )
                .await;
            assert!(width < 640 || share.as_f64().unwrap() < 0.4, "{share}");
            assert_eq!(browser.run("innerWidth").await, width);
            let cut_off = browser
                .run("[...document.querySelectorAll('.scroll')].some((part) => part.scrollWidth > part.clientWidth)")
                .await;
            assert_eq!(cut_off, false, "{width}");
        }
    }
}
