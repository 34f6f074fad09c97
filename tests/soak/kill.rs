//! A server that is killed in the middle: what became of each call.

use std::error::Error;
use std::time::Duration;

use bowline::Target;
use bowline::stdio::StdioConnect;

use crate::ledger::File;
use crate::load::{Ends, Load, builder};
use crate::table::Table;
use crate::worlds::{SLACK, Served, program};

/// How many calls are open when it happens.
const AT_A_TIME: usize = 32;

pub(crate) async fn stdio(calls: usize, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let ledger = File::new("kill-stdio")?;
    let connect = StdioConnect::new(program()?)
        .arg("--ledger")
        .arg(ledger.path())
        .arg("--kill-after")
        .arg((calls / 2).to_string());
    let load = Load::new(calls, Duration::from_secs(5));
    let client = builder(Duration::from_secs(5), None).connect(connect).await?;
    load.once(&client, AT_A_TIME).await;
    // It is dead already.
    let _ = client.close().await;
    report("kill stdio", &load, &ledger, calls, table)
}

pub(crate) async fn http(calls: usize, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let ledger = File::new("kill-http")?;
    let server = Served::start(&ledger, Some(calls / 2)).await?;
    let load = Load::new(calls, Duration::from_secs(5));
    let client = builder(Duration::from_secs(5), None).connect(Target::parse(&server.url)?).await?;
    load.once(&client, AT_A_TIME).await;
    // Nobody is there to be told.
    let _ = tokio::time::timeout(SLACK, client.close()).await?;
    server.end().await?;
    report("kill http", &load, &ledger, calls, table)
}

fn report(world: &str, load: &Load, ledger: &File, calls: usize, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let (counts, _) = ledger.read(calls)?;
    load.judge(world, &counts, table);
    let carried_out = (0..calls).filter(|n| counts.of(*n) > 0).count();
    let Ends { results, not_sent, maybe, received, missing } = load.ends();
    table.fact(
        world,
        format_args!(
            "killed with {AT_A_TIME} calls open: {carried_out} carried out, {results} answered, {} lost to an error \
             ({maybe} maybe sent, {received} received, {not_sent} not sent), {missing} missing",
            maybe + received + not_sent
        ),
    );
    table.row(world, "answered, and lost to an error, are all", results + maybe + received + not_sent, missing == 0);
    table.row(world, "it was killed in the middle", carried_out, carried_out >= calls / 2 && results < calls);
    Ok(())
}
