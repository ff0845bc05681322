import { nodes } from "../api/resources";
import { AppBar } from "../components/layout";
import { Standing } from "../components/notices";
import { useWords } from "../i18n/use";
import { useSource } from "../state/use";

export default function Collector() {
  const { texts } = useWords();
  const source = nodes();
  const snapshot = useSource(source);
  return (
    <>
      <AppBar title={texts.pageNames.collector} />
      <Standing source={source} snapshot={snapshot} />
    </>
  );
}
