import { nodes } from "../api/resources";
import { nodeDetail, recent as recentOf } from "../api/series";
import type { Node as NodeData } from "../api/types";
import { Strip, listDays } from "../charts/strip";
import { FrozenAt } from "../components/age";
import { About, ConfigurationHistory, Values } from "../components/facts";
import { Findings } from "../components/findings";
import { History } from "../components/history";
import { AppBar } from "../components/layout";
import { Icon } from "../components/marks";
import { Notice, Standing, Trouble, frozenSince } from "../components/notices";
import { Verdict } from "../components/verdict";
import { NODE_TEXTS, type NodeTexts } from "../i18n/node";
import { useWords, type Words } from "../i18n/use";
import { useNow, useSource } from "../state/use";

/** One node: how it is, everything that was found at it, and what became of it. */
export default function Node({ name, isBeside }: { name: string; isBeside: boolean }) {
  const words = useWords();
  const texts = NODE_TEXTS[words.language];
  const source = nodes();
  const snapshot = useSource(source);
  const detailSource = nodeDetail(name);
  const detail = useSource(detailSource);
  const frozenAt = frozenSince(snapshot, useNow());
  // The list holds a thousand nodes; a further one tells of itself.
  const node = snapshot.value?.find((one) => one.node === name) ?? detail.value;
  const isUnknown = !node && detail.failure?.status === 404;
  return (
    <FrozenAt.Provider value={frozenAt}>
      <div class={frozenAt === null ? "node" : "node frozen"}>
        <AppBar
          title={<bdi translate={false}>{name}</bdi>}
          before={
            !isBeside && (
              <a class="iconbtn" href="#/" aria-label={words.texts.back}>
                <Icon name="back" />
              </a>
            )
          }
        >
          {node && (
            <button type="button" class="btn small sheet" onClick={() => print()}>
              <Icon name="print" />
              <span>{texts.roofSheet}</span>
            </button>
          )}
        </AppBar>
        {!isBeside && !isUnknown && <Standing source={source} snapshot={snapshot} />}
        {isUnknown && (
          <Notice title={words.texts.notFound}>
            <a class="btn" href="#/">
              {words.texts.back}
            </a>
          </Notice>
        )}
        {detail.failure?.kind === "refused" && !isUnknown && (
          <Trouble failure={detail.failure} at={detail.at} retry={() => void detailSource.refresh()} />
        )}
        {node && <Filled node={node} words={words} texts={texts} />}
      </div>
    </FrozenAt.Provider>
  );
}

function Filled({ node, words, texts }: { node: NodeData; words: Words; texts: NodeTexts }) {
  const detail = useSource(nodeDetail(node.node)).value;
  const recent = useSource(recentOf(node.node)).value;
  const now = useNow();
  const disconnect = node.configuration?.low_voltage_disconnect_volts || null;
  const days = listDays(recent?.days ?? null, detail?.completeness ?? [], words.timeZone);
  return (
    <div class="body">
      <Verdict node={node} detail={detail} recent={recent} words={words} texts={texts} />
      <Findings node={node} words={words} />
      {node.newest && <History node={node} detail={detail} words={words} texts={texts} />}
      {days.length > 0 && (
        <section class="panel a-strip">
          <header>
            <h2>{texts.strip}</h2>
            <p>{texts.stripMeans}</p>
          </header>
          <Strip days={days} disconnect={disconnect} words={words} texts={texts} />
        </section>
      )}
      <Values node={node} words={words} texts={texts} />
      <About node={node} detail={detail} words={words} texts={texts} />
      {detail && <ConfigurationHistory detail={detail} words={words} texts={texts} />}
      <section class="paper">
        <p>{texts.printedAt(words.format.at(now, 0))}</p>
        <h2>{texts.notes}</h2>
        <i />
        <i />
        <i />
        <i />
      </section>
    </div>
  );
}
