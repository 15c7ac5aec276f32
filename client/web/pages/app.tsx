import type { VNode } from "preact";
import { route } from "../router.ts";
import { AppHeader } from "../parts/app-header.tsx";
import { ChatPage } from "./chat.tsx";
import { HomePage } from "./home.tsx";
import { StreamPage } from "./stream.tsx";

/** Shows the page that the address asks for. */
export function App(): VNode {
  const asked = route.value;
  if (asked.page === "home") return <HomePage />;
  if (asked.page === "chat") return <ChatPage key={asked.room} room={asked.room} name={asked.name} />;
  if (asked.page === "stream") return <StreamPage key={asked.room} room={asked.room} name={asked.name} />;
  return (
    <>
      <AppHeader />
      <main id="main" class="home">
        <h1>Nothing here</h1>
        <p>{asked.reason}</p>
        <p>
          <a href="/">To the start page</a>
        </p>
      </main>
    </>
  );
}
