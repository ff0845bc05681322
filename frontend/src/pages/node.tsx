import { fleet, isCut } from "../api/resources";
import { nodeDetail, recent as recentOf } from "../api/series";
import { POLL_MS } from "../api/source";
import type { Node as NodeData } from "../api/types";
import { Strip, listDays } from "../charts/strip";
import { FrozenAt } from "../components/age";
import { About, ConfigurationHistory, Values } from "../components/facts";
import { Findings } from "../components/findings";
import { History } from "../components/history";
import { AppBar } from "../components/layout";
import { Icon } from "../components/marks";
import { Loading, Notice, Standing, Trouble, frozenSince } from "../components/notices";
import { Verdict } from "../components/verdict";
import { NODE_TEXTS } from "../i18n/node";
import { useWords } from "../i18n/use";
import { useNodes, useNow, useSource } from "../state/use";
import "../style/node.css";

interface Props {
  name: string;
  isBeside: boolean;
}

/** An answer of two polls ago at most. */
const ASKED_MS = 2 * POLL_MS;

/** One node: how it is, everything that was found at it, and what became of it. */
export default function Node(props: Props) {
  const snapshot = useSource(fleet());
  const whole = useNodes();
  const isAll = whole.value !== null;
  const now = useNow();
  const frozenAt = frozenSince(snapshot, now);
  // What this device kept of last week may lack a node of yesterday: first ask.
  const isAsked = snapshot.failure !== null || now - (snapshot.at ?? 0) < ASKED_MS;
  const listed = snapshot.value?.nodes.find((one) => one.node === props.name);
  const isPerhapsElsewhere = snapshot.value !== null && isCut(snapshot.value);
  return (
    <FrozenAt.Provider value={frozenAt}>
      <div class={frozenAt === null ? "node" : "node frozen"}>
        {!listed && isPerhapsElsewhere ? (
          <Unlisted {...props} />
        ) : (
          <>
            <Head {...props} isKnown={listed !== undefined} />
            {/* Of a part of the list nobody knows whether it is all that there is to know. */}
            {!props.isBeside && <Standing source={fleet()} snapshot={listed ? snapshot : whole} />}
            {props.isBeside && !listed && !isAll && <Loading />}
            {isAll && !listed && (isAsked ? <Unknown /> : <Loading />)}
            {listed && <Filled node={listed} />}
          </>
        )}
      </div>
    </FrozenAt.Provider>
  );
}

/** A node that the list has no room for. */
function Unlisted(props: Props) {
  const source = nodeDetail(props.name);
  const snapshot = useSource(source);
  const isUnknown = snapshot.failure?.status === 404;
  return (
    <>
      <Head {...props} isKnown={snapshot.value !== null} />
      {isUnknown ? <Unknown /> : <Standing source={source} snapshot={snapshot} />}
      {snapshot.value && <Filled node={snapshot.value} />}
    </>
  );
}

function Head({ name, isBeside, isKnown }: Props & { isKnown: boolean }) {
  const words = useWords();
  const back = !isBeside && (
    <a class="iconbtn" href="#/" aria-label={words.texts.back}>
      <Icon name="back" />
    </a>
  );
  return (
    <AppBar title={<bdi translate={false}>{name}</bdi>} before={back}>
      {isKnown && (
        <button type="button" class="btn small sheet" onClick={() => print()}>
          <Icon name="print" />
          <span>{NODE_TEXTS[words.language].roofSheet}</span>
        </button>
      )}
    </AppBar>
  );
}

function Unknown() {
  const { texts } = useWords();
  return (
    <Notice title={texts.notFound}>
      <a class="btn" href="#/">
        {texts.back}
      </a>
    </Notice>
  );
}

function Filled({ node }: { node: NodeData }) {
  const words = useWords();
  const texts = NODE_TEXTS[words.language];
  const detailSource = nodeDetail(node.node);
  const { value: detail, failure, at } = useSource(detailSource);
  const recent = useSource(recentOf(node.node)).value;
  const now = useNow();
  const disconnect = node.configuration?.low_voltage_disconnect_volts || null;
  const days = listDays(recent?.days ?? null, detail?.completeness ?? [], words.timeZone);
  return (
    <>
      {failure?.kind === "refused" && <Trouble failure={failure} at={at} retry={() => void detailSource.refresh()} />}
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
    </>
  );
}
