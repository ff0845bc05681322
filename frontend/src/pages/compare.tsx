import { nodes } from "../api/resources";
import { AppBar } from "../components/layout";
import { Standing } from "../components/notices";
import { useWords } from "../i18n/use";
import { useSource } from "../state/use";

export default function Compare() {
  const { texts } = useWords();
  const source = nodes();
  const snapshot = useSource(source);
  return (
    <>
      <AppBar title={texts.pageNames.compare} />
      <Standing source={source} snapshot={snapshot} />
    </>
  );
}
